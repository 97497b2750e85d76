#!/bin/sh
# Makes the sample files beside it: real ones, a few kilobytes each. Needs ffmpeg and heif-enc (libheif-examples).
set -eu
cd "$(dirname "$0")"
film() { name=$1; shift; ffmpeg -v error -y -f lavfi -i testsrc=size=64x48:rate=25:duration=0.12 "$@" -bitexact "$name"; }
sound() { name=$1; shift; ffmpeg -v error -y -f lavfi -i sine=frequency=440:duration=0.1:sample_rate=44100 "$@" -bitexact "$name"; }
picture() { ffmpeg -v error -y -f lavfi -i color=c=red:size=16x12 -frames:v 1 -update 1 "$1"; }
film film.mp4 -c:v mpeg4 -pix_fmt yuv420p
film film.mkv -c:v mpeg4
film film.webm -c:v libvpx -b:v 20k
film film.flv -c:v flv
film film.mpeg -c:v mpeg1video
film stream.mpeg -c:v mpeg2video -f mpeg2video
film film.3gp -c:v h263 -s 128x96
film film.ts -c:v mpeg2video
film film.m2ts -c:v mpeg2video -mpegts_m2ts_mode 1
film film.wmv -c:v wmv2
film film.ogv -f lavfi -i sine=duration=0.1 -c:v libtheora -c:a libvorbis
sound sound.flac -ar 8000 -c:a flac
sound sound.ogg -c:a libvorbis
sound sound.opus -c:a libopus
sound sound.m4a -c:a aac
sound sound.mp4 -c:a aac
sound sound.wma -c:a wmav2
sound sound.mp3 -c:a libmp3lame
sound sound.wav -ar 8000 -c:a pcm_s16le
for kind in png jpg webp bmp tiff gif; do picture "picture.$kind"; done
heif-enc -o picture.heic picture.png
cat > drawing.svg <<'SVG'
<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand -->
<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><circle cx="4" cy="4" r="3"/></svg>
SVG
