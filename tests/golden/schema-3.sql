PRAGMA application_id = 1718382455;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE deleted (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    run_id INTEGER NOT NULL
);
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    at REAL NOT NULL,
    type TEXT NOT NULL,
    schema INTEGER NOT NULL,
    data TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    large TEXT,
    UNIQUE (run_id, version)
);
INSERT INTO "events" VALUES(1,1795734436727,1,1.79573443672762322418e+09,'RunCreated',1,'{"run_id":1795734436727,"flow":{"name":"well","sources":{"flow[0].source":{"type":"value","configuration":{"value":[1,2,3]}},"value":{"type":"value"},"flow[3].source":{"type":"process","configuration":{"command":["sh","-c","test -e once || { touch once; echo not yet >&2; exit 3; }; echo ''{\"a\": \"é\"}''"]}}},"steps":[{"name":"numbers","source":"flow[0].source","outputs":[{"name":"list"}]},{"name":"each","source":"value","input":"{{ item }}","outputs":[{"name":"n"}],"depends_on":["numbers"],"for_each":"{{ flows.numbers.list }}","max_parallel":2},{"name":"never","source":"value","input":1,"when":"{{ `false` }}"},{"name":"flaky","source":"flow[3].source","outputs":[{"name":"stdout"}],"retry":{"max_attempts":3,"delay_s":0.01,"jitter":0.0}},{"name":"last","source":"value","input":{"sum":"{{ flows.each.n }}"},"outputs":[{"name":"sum"}],"depends_on":["each","flaky"]}]},"max_workers":4,"at":1795734436.7276232}',0,NULL);
INSERT INTO "events" VALUES(2,1795734436727,2,1.79573443673907136913e+09,'RunStarted',1,'{"at":1795734436.7390714}',1,NULL);
INSERT INTO "events" VALUES(3,1795734436727,3,1.79573443673921012879e+09,'AttemptStarted',1,'{"instance":"numbers","attempt":1,"at":1795734436.7392101}',1,NULL);
INSERT INTO "events" VALUES(4,1795734436727,4,1.79573443673930740354e+09,'StepSkipped',1,'{"instance":"never","cause":"condition","reason":"its condition is not met","at":1795734436.7393074}',1,NULL);
INSERT INTO "events" VALUES(5,1795734436727,5,1.79573443673935127253e+09,'AttemptStarted',1,'{"instance":"flaky","attempt":1,"at":1795734436.7393513}',1,NULL);
INSERT INTO "events" VALUES(6,1795734436727,6,1.79573443673940324788e+09,'AttemptSucceeded',1,'{"instance":"numbers","attempt":1,"outputs":{"list":[1,2,3]},"at":1795734436.7394032}',1,NULL);
INSERT INTO "events" VALUES(7,1795734436727,7,1.79573443673946070669e+09,'FanOutStarted',1,'{"step":"each","items":[1,2,3],"at":1795734436.7394607}',1,NULL);
INSERT INTO "events" VALUES(8,1795734436727,8,1.79573443673952555651e+09,'AttemptStarted',1,'{"instance":"each/0","attempt":1,"at":1795734436.7395256}',1,NULL);
INSERT INTO "events" VALUES(9,1795734436727,9,1.79573443673954033852e+09,'AttemptStarted',1,'{"instance":"each/1","attempt":1,"at":1795734436.7395403}',1,NULL);
INSERT INTO "events" VALUES(10,1795734436727,10,1.7957344367395572663e+09,'AttemptSucceeded',1,'{"instance":"each/0","attempt":1,"outputs":{"n":1},"at":1795734436.7395573}',1,NULL);
INSERT INTO "events" VALUES(11,1795734436727,11,1.79573443673957276345e+09,'AttemptSucceeded',1,'{"instance":"each/1","attempt":1,"outputs":{"n":2},"at":1795734436.7395728}',1,NULL);
INSERT INTO "events" VALUES(12,1795734436727,12,1.79573443673958444595e+09,'AttemptStarted',1,'{"instance":"each/2","attempt":1,"at":1795734436.7395844}',1,NULL);
INSERT INTO "events" VALUES(13,1795734436727,13,1.79573443673960113529e+09,'AttemptSucceeded',1,'{"instance":"each/2","attempt":1,"outputs":{"n":3},"at":1795734436.7396011}',1,NULL);
INSERT INTO "events" VALUES(14,1795734436727,14,1.79573443673961019519e+09,'FanOutSucceeded',1,'{"step":"each","at":1795734436.7396102}',1,NULL);
INSERT INTO "events" VALUES(15,1795734436727,15,1.7957344367824254036e+09,'AttemptFailed',1,'{"instance":"flaky","attempt":1,"code":"exit-code","error":"process exited with code 3: not yet","retry_at":1795734436.7924254,"at":1795734436.7824254}',1,NULL);
INSERT INTO "events" VALUES(16,1795734436727,16,1.79573443679256796834e+09,'AttemptStarted',1,'{"instance":"flaky","attempt":2,"at":1795734436.792568}',1,NULL);
INSERT INTO "events" VALUES(17,1795734436727,17,1.79573443679986381529e+09,'AttemptSucceeded',1,'{"instance":"flaky","attempt":2,"outputs":{"stdout":{"stdout":"{\"a\": \"é\"}\n","stderr":"","returncode":0,"json":{"a":"é"}}},"at":1795734436.7998638}',1,NULL);
INSERT INTO "events" VALUES(18,1795734436727,18,1.79573443680001258847e+09,'AttemptStarted',1,'{"instance":"last","attempt":1,"at":1795734436.8000126}',1,NULL);
INSERT INTO "events" VALUES(19,1795734436727,19,1.79573443680007147787e+09,'AttemptSucceeded',1,'{"instance":"last","attempt":1,"outputs":{"sum":{"sum":[1,2,3]}},"at":1795734436.8000715}',1,NULL);
INSERT INTO "events" VALUES(20,1795734436727,20,1.79573443680008149143e+09,'RunSucceeded',1,'{"at":1795734436.8000815}',1,NULL);
INSERT INTO "events" VALUES(21,1795734438014,1,1.79573443801433563237e+09,'RunCreated',1,'{"run_id":1795734438014,"flow":{"name":"badly","sources":{"flow[0].source":{"type":"value","configuration":{"value":{"k":null}}},"flow[1].source":{"type":"process","configuration":{"command":["false"]}},"value":{"type":"value"},"flow[3].source":{"type":"process","configuration":{"command":["sh","-c","echo no >&2; exit 2"]}}},"steps":[{"name":"first","source":"flow[0].source","outputs":[{"name":"k"}]},{"name":"tolerated","source":"flow[1].source","on_error":"skip"},{"name":"without","source":"value","input":1,"depends_on":["tolerated"]},{"name":"fails","source":"flow[3].source","depends_on":["first"]},{"name":"after","source":"value","input":1,"depends_on":["fails"]}]},"max_workers":4,"at":1795734438.0143356}',0,NULL);
INSERT INTO "events" VALUES(22,1795734438014,2,1.79573443804326939587e+09,'RunStarted',1,'{"at":1795734438.0432694}',1,NULL);
INSERT INTO "events" VALUES(23,1795734438014,3,1.79573443804340147976e+09,'AttemptStarted',1,'{"instance":"first","attempt":1,"at":1795734438.0434015}',1,NULL);
INSERT INTO "events" VALUES(24,1795734438014,4,1.79573443804345273975e+09,'AttemptStarted',1,'{"instance":"tolerated","attempt":1,"at":1795734438.0434527}',1,NULL);
INSERT INTO "events" VALUES(25,1795734438014,5,1.79573443804350495341e+09,'AttemptSucceeded',1,'{"instance":"first","attempt":1,"outputs":{"k":{"k":null}},"at":1795734438.043505}',1,NULL);
INSERT INTO "events" VALUES(26,1795734438014,6,1.79573443804354810713e+09,'AttemptStarted',1,'{"instance":"fails","attempt":1,"at":1795734438.043548}',1,NULL);
INSERT INTO "events" VALUES(27,1795734438014,7,1795734438.07428,'AttemptFailed',1,'{"instance":"tolerated","attempt":1,"code":"exit-code","error":"process exited with code 1","retry_at":null,"at":1795734438.07428}',1,NULL);
INSERT INTO "events" VALUES(28,1795734438014,8,1.79573443807442140575e+09,'StepSkipped',1,'{"instance":"without","cause":"upstream","reason":"step ''tolerated'' failed","at":1795734438.0744214}',1,NULL);
INSERT INTO "events" VALUES(29,1795734438014,9,1.7957344380750296116e+09,'AttemptFailed',1,'{"instance":"fails","attempt":1,"code":"exit-code","error":"process exited with code 2: no","retry_at":null,"at":1795734438.0750296}',1,NULL);
INSERT INTO "events" VALUES(30,1795734438014,10,1.79573443807531523712e+09,'StepSkipped',1,'{"instance":"after","cause":"upstream","reason":"step ''fails'' failed","at":1795734438.0753152}',1,NULL);
INSERT INTO "events" VALUES(31,1795734438014,11,1.79573443807534503932e+09,'RunFailed',1,'{"at":1795734438.075345}',1,NULL);
CREATE TABLE owners (id TEXT PRIMARY KEY, name TEXT, host TEXT, pid INTEGER, expires REAL);
INSERT INTO "owners" VALUES('092384ddfcbe401481aaac2c8fcad13f','process 1640 on vm','vm 9fb77e02-e103-4814-ab66-04eccc7b8978 pid:[4026531836]',1640,1.79573444673815727241e+09);
INSERT INTO "owners" VALUES('225addba4ae4464b8970b4a22335a8d7','process 1667 on vm','vm 9fb77e02-e103-4814-ab66-04eccc7b8978 pid:[4026531836]',1667,1.79573444804226946833e+09);
CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    owner TEXT
);
INSERT INTO "runs" VALUES(1795734436727,1,20,1,NULL);
INSERT INTO "runs" VALUES(1795734438014,21,11,1,NULL);
CREATE TABLE snapshots (
    run_id INTEGER,
    kind TEXT,
    version INTEGER,
    data BLOB,
    PRIMARY KEY (run_id, kind)
);
CREATE INDEX events_of_others ON events (position) WHERE epoch = 0;
CREATE INDEX events_with_large ON events (large) WHERE large IS NOT NULL;
CREATE INDEX runs_with_owner ON runs (owner) WHERE owner IS NOT NULL;
COMMIT;
