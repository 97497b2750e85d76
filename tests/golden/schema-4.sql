PRAGMA application_id = 1718382455;
PRAGMA user_version = 4;
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
INSERT INTO "events" VALUES(1,1795734439975,1,1.79573443997513818742e+09,'RunCreated',1,'{"run_id":1795734439975,"flow":{"name":"well","sources":{"flow[0].source":{"type":"value","configuration":{"value":[1,2,3]}},"value":{"type":"value"},"flow[3].source":{"type":"process","configuration":{"command":["sh","-c","test -e once || { touch once; echo not yet >&2; exit 3; }; echo ''{\"a\": \"é\"}''"]}}},"steps":[{"name":"numbers","source":"flow[0].source","outputs":[{"name":"list"}]},{"name":"each","source":"value","input":"{{ item }}","outputs":[{"name":"n"}],"depends_on":["numbers"],"for_each":"{{ flows.numbers.list }}","max_parallel":2},{"name":"never","source":"value","input":1,"when":"{{ `false` }}"},{"name":"flaky","source":"flow[3].source","outputs":[{"name":"stdout"}],"retry":{"max_attempts":3,"delay_s":0.01,"jitter":0.0}},{"name":"last","source":"value","input":{"sum":"{{ flows.each.n }}"},"outputs":[{"name":"sum"}],"depends_on":["each","flaky"]}]},"max_workers":4,"at":1795734439.9751382}',0,NULL);
INSERT INTO "events" VALUES(2,1795734439975,2,1.79573443999817967411e+09,'RunStarted',1,'{"at":1795734439.9981797}',1,NULL);
INSERT INTO "events" VALUES(3,1795734439975,3,1.79573443999836397169e+09,'AttemptStarted',1,'{"instance":"numbers","attempt":1,"at":1795734439.998364}',1,NULL);
INSERT INTO "events" VALUES(4,1795734439975,4,1.79573443999846673008e+09,'StepSkipped',1,'{"instance":"never","cause":"condition","reason":"its condition is not met","at":1795734439.9984667}',1,NULL);
INSERT INTO "events" VALUES(5,1795734439975,5,1.79573443999852299692e+09,'AttemptStarted',1,'{"instance":"flaky","attempt":1,"at":1795734439.998523}',1,NULL);
INSERT INTO "events" VALUES(6,1795734439975,6,1.79573443999857592584e+09,'AttemptSucceeded',1,'{"instance":"numbers","attempt":1,"outputs":{"list":[1,2,3]},"at":1795734439.998576}',1,NULL);
INSERT INTO "events" VALUES(7,1795734439975,7,1.79573443999863815306e+09,'FanOutStarted',1,'{"step":"each","items":[1,2,3],"at":1795734439.9986382}',1,NULL);
INSERT INTO "events" VALUES(8,1795734439975,8,1.79573443999870920179e+09,'AttemptStarted',1,'{"instance":"each/0","attempt":1,"at":1795734439.9987092}',1,NULL);
INSERT INTO "events" VALUES(9,1795734439975,9,1.79573443999873232838e+09,'AttemptStarted',1,'{"instance":"each/1","attempt":1,"at":1795734439.9987323}',1,NULL);
INSERT INTO "events" VALUES(10,1795734439975,10,1.79573443999874973299e+09,'AttemptSucceeded',1,'{"instance":"each/0","attempt":1,"outputs":{"n":1},"at":1795734439.9987497}',1,NULL);
INSERT INTO "events" VALUES(11,1795734439975,11,1.79573443999876523015e+09,'AttemptSucceeded',1,'{"instance":"each/1","attempt":1,"outputs":{"n":2},"at":1795734439.9987652}',1,NULL);
INSERT INTO "events" VALUES(12,1795734439975,12,1.79573443999877691273e+09,'AttemptStarted',1,'{"instance":"each/2","attempt":1,"at":1795734439.998777}',1,NULL);
INSERT INTO "events" VALUES(13,1795734439975,13,1.79573443999879407877e+09,'AttemptSucceeded',1,'{"instance":"each/2","attempt":1,"outputs":{"n":3},"at":1795734439.998794}',1,NULL);
INSERT INTO "events" VALUES(14,1795734439975,14,1.7957344399988048076e+09,'FanOutSucceeded',1,'{"step":"each","at":1795734439.9988048}',1,NULL);
INSERT INTO "events" VALUES(15,1795734439975,15,1.79573444004635167118e+09,'AttemptFailed',1,'{"instance":"flaky","attempt":1,"code":"exit-code","error":"process exited with code 3: not yet","retry_at":1795734440.0563517,"at":1795734440.0463517}',1,NULL);
INSERT INTO "events" VALUES(16,1795734439975,16,1.79573444005652022364e+09,'AttemptStarted',1,'{"instance":"flaky","attempt":2,"at":1795734440.0565202}',1,NULL);
INSERT INTO "events" VALUES(17,1795734439975,17,1.79573444006942820549e+09,'AttemptSucceeded',1,'{"instance":"flaky","attempt":2,"outputs":{"stdout":{"stdout":"{\"a\": \"é\"}\n","stderr":"","returncode":0,"json":{"a":"é"}}},"at":1795734440.0694282}',1,NULL);
INSERT INTO "events" VALUES(18,1795734439975,18,1.79573444006960082058e+09,'AttemptStarted',1,'{"instance":"last","attempt":1,"at":1795734440.0696008}',1,NULL);
INSERT INTO "events" VALUES(19,1795734439975,19,1.79573444006966090203e+09,'AttemptSucceeded',1,'{"instance":"last","attempt":1,"outputs":{"sum":{"sum":[1,2,3]}},"at":1795734440.069661}',1,NULL);
INSERT INTO "events" VALUES(20,1795734439975,20,1.7957344400696730614e+09,'RunSucceeded',1,'{"at":1795734440.069673}',1,NULL);
INSERT INTO "events" VALUES(21,1795734441676,1,1.79573444167624163628e+09,'RunCreated',1,'{"run_id":1795734441676,"flow":{"name":"badly","sources":{"flow[0].source":{"type":"value","configuration":{"value":{"k":null}}},"flow[1].source":{"type":"process","configuration":{"command":["false"]}},"value":{"type":"value"},"flow[3].source":{"type":"process","configuration":{"command":["sh","-c","echo no >&2; exit 2"]}}},"steps":[{"name":"first","source":"flow[0].source","outputs":[{"name":"k"}]},{"name":"tolerated","source":"flow[1].source","on_error":"skip"},{"name":"without","source":"value","input":1,"depends_on":["tolerated"]},{"name":"fails","source":"flow[3].source","depends_on":["first"]},{"name":"after","source":"value","input":1,"depends_on":["fails"]}]},"max_workers":4,"at":1795734441.6762416}',0,NULL);
INSERT INTO "events" VALUES(22,1795734441676,2,1.79573444169159817697e+09,'RunStarted',1,'{"at":1795734441.6915982}',1,NULL);
INSERT INTO "events" VALUES(23,1795734441676,3,1.79573444169171524045e+09,'AttemptStarted',1,'{"instance":"first","attempt":1,"at":1795734441.6917152}',1,NULL);
INSERT INTO "events" VALUES(24,1795734441676,4,1.79573444169176054006e+09,'AttemptStarted',1,'{"instance":"tolerated","attempt":1,"at":1795734441.6917605}',1,NULL);
INSERT INTO "events" VALUES(25,1795734441676,5,1.79573444169180965416e+09,'AttemptSucceeded',1,'{"instance":"first","attempt":1,"outputs":{"k":{"k":null}},"at":1795734441.6918097}',1,NULL);
INSERT INTO "events" VALUES(26,1795734441676,6,1.79573444169185447694e+09,'AttemptStarted',1,'{"instance":"fails","attempt":1,"at":1795734441.6918545}',1,NULL);
INSERT INTO "events" VALUES(27,1795734441676,7,1.79573444171630525589e+09,'AttemptFailed',1,'{"instance":"fails","attempt":1,"code":"exit-code","error":"process exited with code 2: no","retry_at":null,"at":1795734441.7163053}',1,NULL);
INSERT INTO "events" VALUES(28,1795734441676,8,1.7957344417164824009e+09,'StepSkipped',1,'{"instance":"after","cause":"upstream","reason":"step ''fails'' failed","at":1795734441.7164824}',1,NULL);
INSERT INTO "events" VALUES(29,1795734441676,9,1.7957344417164824009e+09,'StepSkipped',1,'{"instance":"without","cause":"run-failed","reason":"the run stopped because step ''fails'' failed","at":1795734441.7164824}',1,NULL);
INSERT INTO "events" VALUES(30,1795734441676,10,1.79573444171708631513e+09,'AttemptFailed',1,'{"instance":"tolerated","attempt":1,"code":"exit-code","error":"process exited with code 1","retry_at":null,"at":1795734441.7170863}',1,NULL);
INSERT INTO "events" VALUES(31,1795734441676,11,1.79573444172209286686e+09,'RunFailed',1,'{"at":1795734441.7220929}',1,NULL);
CREATE TABLE owners (id TEXT PRIMARY KEY, name TEXT, host TEXT, pid INTEGER, expires REAL);
INSERT INTO "owners" VALUES('a7b71fe1b4d94ff89baf4734b557716b','process 1696 on vm','vm 9fb77e02-e103-4814-ab66-04eccc7b8978 pid:[4026531836]',1696,1.79573444999406027795e+09);
INSERT INTO "owners" VALUES('c959e0103cac4f3b905bcc58be6cd100','process 1721 on vm','vm 9fb77e02-e103-4814-ab66-04eccc7b8978 pid:[4026531836]',1721,1.79573445169030690188e+09);
CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    batch TEXT
);
INSERT INTO "runs" VALUES(1795734439975,1,20,1,NULL,NULL);
INSERT INTO "runs" VALUES(1795734441676,21,11,1,NULL,NULL);
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
CREATE INDEX batches ON runs (batch, run_id) WHERE batch IS NOT NULL;
CREATE INDEX batch_ids ON runs (run_id) WHERE batch IS NOT NULL;
COMMIT;
