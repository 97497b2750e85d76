PRAGMA application_id = 1718382455;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        version INTEGER NOT NULL,
        at REAL NOT NULL,
        type TEXT NOT NULL,
        schema INTEGER NOT NULL,
        data TEXT NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        UNIQUE (run_id, version)
    );
INSERT INTO "events" VALUES(1,1795734434343,1,1.79573443434352707868e+09,'RunCreated',1,'{"run_id":1795734434343,"flow":{"name":"well","sources":{"flow[0].source":{"type":"value","configuration":{"value":[1,2,3]}},"value":{"type":"value"},"flow[3].source":{"type":"process","configuration":{"command":["sh","-c","test -e once || { touch once; echo not yet >&2; exit 3; }; echo ''{\"a\": \"é\"}''"]}}},"steps":[{"name":"numbers","source":"flow[0].source","outputs":[{"name":"list"}]},{"name":"each","source":"value","input":"{{ item }}","outputs":[{"name":"n"}],"depends_on":["numbers"],"for_each":"{{ flows.numbers.list }}","max_parallel":2},{"name":"never","source":"value","input":1,"when":"{{ `false` }}"},{"name":"flaky","source":"flow[3].source","outputs":[{"name":"stdout"}],"retry":{"max_attempts":3,"delay_s":0.01,"jitter":0.0}},{"name":"last","source":"value","input":{"sum":"{{ flows.each.n }}"},"outputs":[{"name":"sum"}],"depends_on":["each","flaky"]}]},"max_workers":4,"at":1795734434.343527}',0);
INSERT INTO "events" VALUES(2,1795734434343,2,1795734434.35823,'RunStarted',1,'{"at":1795734434.35823}',1);
INSERT INTO "events" VALUES(3,1795734434343,3,1.79573443435843181615e+09,'AttemptStarted',1,'{"instance":"numbers","attempt":1,"at":1795734434.3584318}',1);
INSERT INTO "events" VALUES(4,1795734434343,4,1.79573443435854625703e+09,'StepSkipped',1,'{"instance":"never","cause":"condition","reason":"its condition is not met","at":1795734434.3585463}',1);
INSERT INTO "events" VALUES(5,1795734434343,5,1.79573443435877108578e+09,'AttemptStarted',1,'{"instance":"flaky","attempt":1,"at":1795734434.358771}',1);
INSERT INTO "events" VALUES(6,1795734434343,6,1.79573443435882592203e+09,'AttemptSucceeded',1,'{"instance":"numbers","attempt":1,"outputs":{"list":[1,2,3]},"at":1795734434.358826}',1);
INSERT INTO "events" VALUES(7,1795734434343,7,1.79573443435888147352e+09,'FanOutStarted',1,'{"step":"each","items":[1,2,3],"at":1795734434.3588815}',1);
INSERT INTO "events" VALUES(8,1795734434343,8,1.79573443435894799236e+09,'AttemptStarted',1,'{"instance":"each/0","attempt":1,"at":1795734434.358948}',1);
INSERT INTO "events" VALUES(9,1795734434343,9,1.79573443435896420473e+09,'AttemptStarted',1,'{"instance":"each/1","attempt":1,"at":1795734434.3589642}',1);
INSERT INTO "events" VALUES(10,1795734434343,10,1.79573443435898017885e+09,'AttemptSucceeded',1,'{"instance":"each/0","attempt":1,"outputs":{"n":1},"at":1795734434.3589802}',1);
INSERT INTO "events" VALUES(11,1795734434343,11,1.79573443435899591453e+09,'AttemptSucceeded',1,'{"instance":"each/1","attempt":1,"outputs":{"n":2},"at":1795734434.358996}',1);
INSERT INTO "events" VALUES(12,1795734434343,12,1.79573443435900759702e+09,'AttemptStarted',1,'{"instance":"each/2","attempt":1,"at":1795734434.3590076}',1);
INSERT INTO "events" VALUES(13,1795734434343,13,1.79573443435902190207e+09,'AttemptSucceeded',1,'{"instance":"each/2","attempt":1,"outputs":{"n":3},"at":1795734434.359022}',1);
INSERT INTO "events" VALUES(14,1795734434343,14,1.79573443435903096201e+09,'FanOutSucceeded',1,'{"step":"each","at":1795734434.359031}',1);
INSERT INTO "events" VALUES(15,1795734434343,15,1.79573443438211274142e+09,'AttemptFailed',1,'{"instance":"flaky","attempt":1,"code":"exit-code","error":"process exited with code 3: not yet","retry_at":1795734434.3921127,"at":1795734434.3821127}',1);
INSERT INTO "events" VALUES(16,1795734434343,16,1.79573443439227652552e+09,'AttemptStarted',1,'{"instance":"flaky","attempt":2,"at":1795734434.3922765}',1);
INSERT INTO "events" VALUES(17,1795734434343,17,1.7957344343995754719e+09,'AttemptSucceeded',1,'{"instance":"flaky","attempt":2,"outputs":{"stdout":{"stdout":"{\"a\": \"é\"}\n","stderr":"","returncode":0,"json":{"a":"é"}}},"at":1795734434.3995755}',1);
INSERT INTO "events" VALUES(18,1795734434343,18,1.79573443439971280099e+09,'AttemptStarted',1,'{"instance":"last","attempt":1,"at":1795734434.3997128}',1);
INSERT INTO "events" VALUES(19,1795734434343,19,1.79573443439976596826e+09,'AttemptSucceeded',1,'{"instance":"last","attempt":1,"outputs":{"sum":{"sum":[1,2,3]}},"at":1795734434.399766}',1);
INSERT INTO "events" VALUES(20,1795734434343,20,1.7957344343997750282e+09,'RunSucceeded',1,'{"at":1795734434.399775}',1);
INSERT INTO "events" VALUES(21,1795734435222,1,1.79573443522286152842e+09,'RunCreated',1,'{"run_id":1795734435222,"flow":{"name":"badly","sources":{"flow[0].source":{"type":"value","configuration":{"value":{"k":null}}},"flow[1].source":{"type":"process","configuration":{"command":["false"]}},"value":{"type":"value"},"flow[3].source":{"type":"process","configuration":{"command":["sh","-c","echo no >&2; exit 2"]}}},"steps":[{"name":"first","source":"flow[0].source","outputs":[{"name":"k"}]},{"name":"tolerated","source":"flow[1].source","on_error":"skip"},{"name":"without","source":"value","input":1,"depends_on":["tolerated"]},{"name":"fails","source":"flow[3].source","depends_on":["first"]},{"name":"after","source":"value","input":1,"depends_on":["fails"]}]},"max_workers":4,"at":1795734435.2228615}',0);
INSERT INTO "events" VALUES(22,1795734435222,2,1.79573443523886084553e+09,'RunStarted',1,'{"at":1795734435.2388608}',1);
INSERT INTO "events" VALUES(23,1795734435222,3,1.79573443523898053169e+09,'AttemptStarted',1,'{"instance":"first","attempt":1,"at":1795734435.2389805}',1);
INSERT INTO "events" VALUES(24,1795734435222,4,1.79573443523902368541e+09,'AttemptStarted',1,'{"instance":"tolerated","attempt":1,"at":1795734435.2390237}',1);
INSERT INTO "events" VALUES(25,1795734435222,5,1.79573443523906826979e+09,'AttemptSucceeded',1,'{"instance":"first","attempt":1,"outputs":{"k":{"k":null}},"at":1795734435.2390683}',1);
INSERT INTO "events" VALUES(26,1795734435222,6,1.795734435239233017e+09,'AttemptStarted',1,'{"instance":"fails","attempt":1,"at":1795734435.239233}',1);
INSERT INTO "events" VALUES(27,1795734435222,7,1.79573443525773453711e+09,'AttemptFailed',1,'{"instance":"fails","attempt":1,"code":"exit-code","error":"process exited with code 2: no","retry_at":null,"at":1795734435.2577345}',1);
INSERT INTO "events" VALUES(28,1795734435222,8,1.7957344352578434944e+09,'StepSkipped',1,'{"instance":"after","cause":"upstream","reason":"step ''fails'' failed","at":1795734435.2578435}',1);
INSERT INTO "events" VALUES(29,1795734435222,9,1.7957344352578434944e+09,'StepSkipped',1,'{"instance":"without","cause":"run-failed","reason":"the run stopped because step ''fails'' failed","at":1795734435.2578435}',1);
INSERT INTO "events" VALUES(30,1795734435222,10,1.79573443525844216343e+09,'AttemptFailed',1,'{"instance":"tolerated","attempt":1,"code":"exit-code","error":"process exited with code 1","retry_at":null,"at":1795734435.2584422}',1);
INSERT INTO "events" VALUES(31,1795734435222,11,1.79573443526198101038e+09,'RunFailed',1,'{"at":1795734435.261981}',1);
CREATE TABLE owners (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        expires REAL NOT NULL
    );
INSERT INTO "owners" VALUES('c7339126b44142d6be437f0da4a05b58','process 1598 on vm','vm 9fb77e02-e103-4814-ab66-04eccc7b8978 pid:[4026531836]',1598,1.79573444435328507425e+09);
INSERT INTO "owners" VALUES('3db4fee798c04f80abe600866fe1cf06','process 1607 on vm','vm 9fb77e02-e103-4814-ab66-04eccc7b8978 pid:[4026531836]',1607,1.79573444523404216767e+09);
CREATE TABLE runs (
        run_id INTEGER PRIMARY KEY,
        created INTEGER NOT NULL,
        version INTEGER NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        owner TEXT
    );
INSERT INTO "runs" VALUES(1795734434343,1,20,1,'c7339126b44142d6be437f0da4a05b58');
INSERT INTO "runs" VALUES(1795734435222,21,11,1,'3db4fee798c04f80abe600866fe1cf06');
CREATE INDEX requests ON events (position) WHERE epoch = 0;
COMMIT;
