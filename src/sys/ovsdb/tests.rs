//! The protocol against a server that says what a test tells it to. The real
//! server is in tests/runtimes.

use std::os::unix::net::UnixListener;
use std::thread;

use super::*;

/// A server that answers each request with the next of `answers`; `ID` in them
/// becomes the request's own.
pub(super) fn server(
    answers: &'static [&'static str],
) -> (PathBuf, thread::JoinHandle<Vec<Value>>) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("ovsdb-{}-{number}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let socket = path.clone();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::fs::remove_file(&socket).unwrap();
        let mut frames = Frames::default();
        let mut requests: Vec<Value> = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            while let Some(frame) = frames.take().unwrap() {
                let request: Value = serde_json::from_slice(&frame).unwrap();
                requests.push(request);
                let place = requests.len() - 1;
                let Some(answer) = answers.get(place) else {
                    return requests;
                };
                let answer = answer.replace("ID", &requests[place]["id"].to_string());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            match stream.read(&mut chunk).unwrap() {
                0 => return requests,
                length => frames.push(&chunk[..length]),
            }
        }
    });
    (path, thread)
}

pub(super) fn connect_to(path: &Path) -> Ovsdb {
    Ovsdb::connect(path, Deadline::after(Duration::from_secs(5))).unwrap()
}

fn answer(answers: &'static [&'static str]) -> Result<Vec<Value>, OvsdbError> {
    let (path, _thread) = server(answers);
    connect_to(&path).transact(vec![json!({ "op": "select" })])
}

#[test]
fn a_transaction_returns_the_result_of_each_operation() {
    let (path, thread) = server(&[r#"{"id":ID,"error":null,"result":[{"count":1},{}]}"#]);
    let mut ovsdb = connect_to(&path);
    let results = ovsdb.transact(vec![json!({ "op": "x" }), json!({ "op": "y" })]);
    assert_eq!(results.unwrap(), [json!({ "count": 1 }), json!({})]);
    drop(ovsdb);
    let requests = thread.join().unwrap();
    assert_eq!(requests[0]["method"], "transact");
    assert_eq!(
        requests[0]["params"],
        json!(["Open_vSwitch", { "op": "x" }, { "op": "y" }])
    );
}

#[test]
fn the_servers_echo_is_answered_while_we_wait() {
    let (path, thread) = server(&[
        r#"{"method":"echo","params":[1,"a"],"id":"e"}"#,
        r#"{"id":1,"result":[]}"#,
    ]);
    connect_to(&path).transact(Vec::new()).unwrap();
    let requests = thread.join().unwrap();
    let expected = json!({ "id": "e", "error": null, "result": [1, "a"] });
    assert_eq!(requests[1], expected);
}

#[test]
fn what_we_did_not_ask_for_is_passed_over() {
    let results = answer(&[r#"{"method":"update","params":[],"id":null}
        {"id":99,"error":"late"}{"id":ID,"result":[{}]}"#]);
    assert_eq!(results.unwrap().len(), 1);
}

/// A server that says `said` again and again, whatever it is asked.
fn chatterbox(said: &'static str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ovsdb-{}-{}", std::process::id(), said.len()));
    let listener = UnixListener::bind(&path).unwrap();
    let socket = path.clone();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::fs::remove_file(&socket).unwrap();
        // More at once than is read at once, so that there is always more to read.
        let much = said.repeat(10_000);
        while stream.write_all(much.as_bytes()).is_ok() {}
    });
    path
}

#[test]
fn a_server_that_never_falls_silent_does_not_outlast_the_deadline() {
    let begin = std::time::Instant::now();
    for said in [
        r#"{"method":"update","params":[],"id":null}"#,
        r#"{"id":99,"result":[]}"#,
    ] {
        let soon = Deadline::after(Duration::from_millis(100));
        let mut ovsdb = Ovsdb::connect(&chatterbox(said), soon).unwrap();
        let error = ovsdb.transact(Vec::new()).unwrap_err();
        assert_eq!(error, OvsdbError::TimedOut, "{said}");
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_operation_that_fails_is_told_by_its_place() {
    let results =
        answer(&[r#"{"id":ID,"result":[{},{"error":"timed out","details":"why"},null]}"#]);
    let expected = OvsdbError::Refused {
        place: 1,
        error: "timed out".to_owned(),
        details: "why".to_owned(),
    };
    assert_eq!(results, Err(expected));
}

#[test]
fn a_read_only_database_and_a_foreign_one_are_told_apart() {
    let read_only = answer(&[r#"{"id":ID,"result":[{"error":"not allowed","details":"a"}]}"#]);
    assert!(matches!(read_only, Err(OvsdbError::ReadOnly { .. })));
    let foreign = answer(&[r#"{"id":ID,"error":{"error":"unknown database","details":"a"}}"#]);
    assert!(matches!(foreign, Err(OvsdbError::SchemaLacks { .. })));
}

#[test]
fn an_absent_server_and_a_dead_one_are_told_apart() {
    let soon = Deadline::after(Duration::from_secs(5));
    let nowhere = Ovsdb::connect(Path::new("/nonexistent/db.sock"), soon).unwrap_err();
    assert!(matches!(nowhere, OvsdbError::Absent { .. }), "{nowhere}");
    let path = std::env::temp_dir().join(format!("ovsdb-dead-{}", std::process::id()));
    drop(UnixListener::bind(&path).unwrap());
    let dead = Ovsdb::connect(&path, soon).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(dead, OvsdbError::Dead { .. }), "{dead}");
    assert!(nowhere.is_absence() && dead.is_absence());
}

#[test]
fn a_server_that_goes_away_or_talks_nonsense_is_an_error() {
    assert_eq!(answer(&[]), Err(OvsdbError::Closed));
    for nonsense in ["HTTP/1.1 400", "[]", "{\"id\":ID,,}"] {
        let (path, _thread) = match nonsense {
            "[]" => server(&["[]"]),
            "HTTP/1.1 400" => server(&["HTTP/1.1 400"]),
            _ => server(&["{\"id\":ID,,}"]),
        };
        let error = connect_to(&path).transact(Vec::new()).unwrap_err();
        assert!(matches!(error, OvsdbError::Garbled { .. }), "{error}");
        assert!(error.is_lost());
    }
}

#[test]
fn a_server_that_says_nothing_is_waited_for_until_the_deadline() {
    let (path, _thread) = server(&[""]);
    let mut ovsdb = connect_to(&path);
    ovsdb.set_deadline(Deadline::after(Duration::from_millis(30)));
    assert_eq!(ovsdb.transact(Vec::new()), Err(OvsdbError::TimedOut));
    assert!(ovsdb.deadline().has_passed());
}

#[test]
fn a_lock_that_was_free_counts_as_free_and_is_given_back() {
    let (path, thread) = server(&[
        r#"{"id":ID,"result":{"locked":true}}"#,
        r#"{"id":ID,"result":{}}"#,
        r#"{"id":ID,"result":{"locked":false}}"#,
        r#"{"id":ID,"result":{}}"#,
    ]);
    let mut ovsdb = connect_to(&path);
    assert!(!ovsdb.is_locked("x").unwrap());
    assert!(ovsdb.is_locked("x").unwrap());
    drop(ovsdb);
    let methods = thread.join().unwrap();
    let methods: Vec<&Value> = methods.iter().map(|r| &r["method"]).collect();
    assert_eq!(methods, ["lock", "unlock", "lock", "unlock"]);
}
