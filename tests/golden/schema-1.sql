PRAGMA application_id = 1718382455;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        version INTEGER NOT NULL,
        at REAL NOT NULL,
        type TEXT NOT NULL,
        schema INTEGER NOT NULL,
        data TEXT NOT NULL,
        UNIQUE (run_id, version)
    );
INSERT INTO "events" VALUES(1,1795734431686,1,1.79573443168621301648e+09,'RunCreated',1,'{"run_id":1795734431686,"flow":{"name":"well","sources":{"flow[0].source":{"type":"value","configuration":{"value":[1,2,3]}},"value":{"type":"value"},"flow[3].source":{"type":"process","configuration":{"command":["sh","-c","test -e once || { touch once; echo not yet >&2; exit 3; }; echo ''{\"a\": \"é\"}''"]}}},"steps":[{"name":"numbers","source":"flow[0].source","outputs":[{"name":"list"}]},{"name":"each","source":"value","input":"{{ item }}","outputs":[{"name":"n"}],"depends_on":["numbers"],"for_each":"{{ flows.numbers.list }}","max_parallel":2},{"name":"never","source":"value","input":1,"when":"{{ `false` }}"},{"name":"flaky","source":"flow[3].source","outputs":[{"name":"stdout"}],"retry":{"max_attempts":3,"delay_s":0.01,"jitter":0.0}},{"name":"last","source":"value","input":{"sum":"{{ flows.each.n }}"},"outputs":[{"name":"sum"}],"depends_on":["each","flaky"]}]},"max_workers":4,"at":1795734431.686213}');
INSERT INTO "events" VALUES(2,1795734431686,2,1.79573443170322227476e+09,'RunStarted',1,'{"at":1795734431.7032223}');
INSERT INTO "events" VALUES(3,1795734431686,3,1.79573443170333909993e+09,'AttemptStarted',1,'{"instance":"numbers","attempt":1,"at":1795734431.703339}');
INSERT INTO "events" VALUES(4,1795734431686,4,1.79573443170343947407e+09,'StepSkipped',1,'{"instance":"never","cause":"condition","reason":"its condition is not met","at":1795734431.7034395}');
INSERT INTO "events" VALUES(5,1795734431686,5,1.79573443170348525047e+09,'AttemptStarted',1,'{"instance":"flaky","attempt":1,"at":1795734431.7034853}');
INSERT INTO "events" VALUES(6,1795734431686,6,1.79573443170353555685e+09,'AttemptSucceeded',1,'{"instance":"numbers","attempt":1,"outputs":{"list":[1,2,3]},"at":1795734431.7035356}');
INSERT INTO "events" VALUES(7,1795734431686,7,1.7957344317035868168e+09,'FanOutStarted',1,'{"step":"each","items":[1,2,3],"at":1795734431.7035868}');
INSERT INTO "events" VALUES(8,1795734431686,8,1.79573443170365047456e+09,'AttemptStarted',1,'{"instance":"each/0","attempt":1,"at":1795734431.7036505}');
INSERT INTO "events" VALUES(9,1795734431686,9,1.79573443170366740233e+09,'AttemptStarted',1,'{"instance":"each/1","attempt":1,"at":1795734431.7036674}');
INSERT INTO "events" VALUES(10,1795734431686,10,1.79573443170368337628e+09,'AttemptSucceeded',1,'{"instance":"each/0","attempt":1,"outputs":{"n":1},"at":1795734431.7036834}');
INSERT INTO "events" VALUES(11,1795734431686,11,1.79573443170369935039e+09,'AttemptSucceeded',1,'{"instance":"each/1","attempt":1,"outputs":{"n":2},"at":1795734431.7036994}');
INSERT INTO "events" VALUES(12,1795734431686,12,1.79573443170371055605e+09,'AttemptStarted',1,'{"instance":"each/2","attempt":1,"at":1795734431.7037106}');
INSERT INTO "events" VALUES(13,1795734431686,13,1.79573443170372486115e+09,'AttemptSucceeded',1,'{"instance":"each/2","attempt":1,"outputs":{"n":3},"at":1795734431.7037249}');
INSERT INTO "events" VALUES(14,1795734431686,14,1.79573443170373582837e+09,'FanOutSucceeded',1,'{"step":"each","at":1795734431.7037358}');
INSERT INTO "events" VALUES(15,1795734431686,15,1.79573443178610491757e+09,'AttemptFailed',1,'{"instance":"flaky","attempt":1,"code":"exit-code","error":"process exited with code 3: not yet","retry_at":1795734431.796105,"at":1795734431.786105}');
INSERT INTO "events" VALUES(16,1795734431686,16,1.79573443179631233213e+09,'AttemptStarted',1,'{"instance":"flaky","attempt":2,"at":1795734431.7963123}');
INSERT INTO "events" VALUES(17,1795734431686,17,1.79573443181116580965e+09,'AttemptSucceeded',1,'{"instance":"flaky","attempt":2,"outputs":{"stdout":{"stdout":"{\"a\": \"é\"}\n","stderr":"","returncode":0,"json":{"a":"é"}}},"at":1795734431.8111658}');
INSERT INTO "events" VALUES(18,1795734431686,18,1.79573443181133866313e+09,'AttemptStarted',1,'{"instance":"last","attempt":1,"at":1795734431.8113387}');
INSERT INTO "events" VALUES(19,1795734431686,19,1.79573443181140828136e+09,'AttemptSucceeded',1,'{"instance":"last","attempt":1,"outputs":{"sum":{"sum":[1,2,3]}},"at":1795734431.8114083}');
INSERT INTO "events" VALUES(20,1795734431686,20,1.79573443181141805652e+09,'RunSucceeded',1,'{"at":1795734431.811418}');
INSERT INTO "events" VALUES(21,1795734432933,1,1.79573443293350100522e+09,'RunCreated',1,'{"run_id":1795734432933,"flow":{"name":"badly","sources":{"flow[0].source":{"type":"value","configuration":{"value":{"k":null}}},"flow[1].source":{"type":"process","configuration":{"command":["false"]}},"value":{"type":"value"},"flow[3].source":{"type":"process","configuration":{"command":["sh","-c","echo no >&2; exit 2"]}}},"steps":[{"name":"first","source":"flow[0].source","outputs":[{"name":"k"}]},{"name":"tolerated","source":"flow[1].source","on_error":"skip"},{"name":"without","source":"value","input":1,"depends_on":["tolerated"]},{"name":"fails","source":"flow[3].source","depends_on":["first"]},{"name":"after","source":"value","input":1,"depends_on":["fails"]}]},"max_workers":4,"at":1795734432.933501}');
INSERT INTO "events" VALUES(22,1795734432933,2,1.79573443295915412907e+09,'RunStarted',1,'{"at":1795734432.9591541}');
INSERT INTO "events" VALUES(23,1795734432933,3,1.79573443295927572252e+09,'AttemptStarted',1,'{"instance":"first","attempt":1,"at":1795734432.9592757}');
INSERT INTO "events" VALUES(24,1795734432933,4,1.79573443295932865144e+09,'AttemptStarted',1,'{"instance":"tolerated","attempt":1,"at":1795734432.9593287}');
INSERT INTO "events" VALUES(25,1795734432933,5,1.79573443295938038827e+09,'AttemptSucceeded',1,'{"instance":"first","attempt":1,"outputs":{"k":{"k":null}},"at":1795734432.9593804}');
INSERT INTO "events" VALUES(26,1795734432933,6,1.79573443295942854888e+09,'AttemptStarted',1,'{"instance":"fails","attempt":1,"at":1795734432.9594285}');
INSERT INTO "events" VALUES(27,1795734432933,7,1.79573443301120829578e+09,'AttemptFailed',1,'{"instance":"tolerated","attempt":1,"code":"exit-code","error":"process exited with code 1","retry_at":null,"at":1795734433.0112083}');
INSERT INTO "events" VALUES(28,1795734432933,8,1.79573443301135444636e+09,'StepSkipped',1,'{"instance":"without","cause":"upstream","reason":"step ''tolerated'' failed","at":1795734433.0113544}');
INSERT INTO "events" VALUES(29,1795734432933,9,1.79573443301203727719e+09,'AttemptFailed',1,'{"instance":"fails","attempt":1,"code":"exit-code","error":"process exited with code 2: no","retry_at":null,"at":1795734433.0120373}');
INSERT INTO "events" VALUES(30,1795734432933,10,1.7957344330140717029e+09,'StepSkipped',1,'{"instance":"after","cause":"upstream","reason":"step ''fails'' failed","at":1795734433.0140717}');
INSERT INTO "events" VALUES(31,1795734432933,11,1.79573443301410460475e+09,'RunFailed',1,'{"at":1795734433.0141046}');
CREATE TABLE runs (
        run_id INTEGER PRIMARY KEY,
        created INTEGER NOT NULL,
        version INTEGER NOT NULL
    );
INSERT INTO "runs" VALUES(1795734431686,1,20);
INSERT INTO "runs" VALUES(1795734432933,21,11);
COMMIT;
