//! Settings go in, and come out again to the byte.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn runtime() -> Setting {
    let value = json!({ "path": "/usr/bin/pipework-runtime" });
    Setting::new(&["runtimes", "pipework"], value)
}

fn set(text: &str) -> String {
    Json::set(text, &runtime()).unwrap().unwrap().0
}

#[test]
fn a_new_file_is_laid_out_as_docker_documents_it() {
    assert_eq!(
        set(""),
        "{\n  \"runtimes\": {\n    \"pipework\": {\n      \"path\": \"/usr/bin/pipework-runtime\"\n    }\n  }\n}\n"
    );
}

#[test]
fn what_is_there_keeps_its_order_and_its_indentation() {
    let text = "{\n\t\"b\": [1,  2],\n\t\"a\": {\"x\": null}\n}";
    assert_eq!(
        set(text),
        "{\n\t\"b\": [1,  2],\n\t\"a\": {\"x\": null},\n\t\"runtimes\": {\n\t\t\"pipework\": {\n\t\t\t\"path\": \"/usr/bin/pipework-runtime\"\n\t\t}\n\t}\n}"
    );
    let text = "{\"b\": 1}";
    assert_eq!(
        set(text),
        "{\"b\": 1, \"runtimes\": {\"pipework\":{\"path\":\"/usr/bin/pipework-runtime\"}}}"
    );
}

#[test]
fn a_runtime_of_somebody_else_stays_beside_ours() {
    let text = "{\n  \"runtimes\": {\n    \"kata\": {\"path\": \"/k\"}\n  }\n}\n";
    let (with, set) = Json::set(text, &runtime()).unwrap().unwrap();
    assert_eq!(set.made, 0);
    assert_eq!(Json::unset(&with, &set).unwrap(), text);
    assert_eq!(Json::set(&with, &runtime()), Ok(None));
}

#[test]
fn what_a_former_run_wrote_gives_way_and_nothing_else_does() {
    let (with, former) = Json::set("{}", &runtime()).unwrap().unwrap();
    let moved = json!({ "path": "/usr/local/bin/pipework-runtime" });
    let moved = Setting::new(&["runtimes", "pipework"], moved);
    assert!(Json::set(&with, &moved).is_err());
    let (after, _) = Json::set(&with, &moved.after(&former.value))
        .unwrap()
        .unwrap();
    assert!(after.contains("/usr/local/bin/pipework-runtime"), "{after}");
    let edited = with.replace("/usr/bin", "/opt/bin");
    assert!(Json::set(&edited, &moved.after(&former.value)).is_err());
}

#[test]
fn an_edit_in_between_stays() {
    let (with, set) = Json::set("{\n  \"a\": 1\n}\n", &runtime())
        .unwrap()
        .unwrap();
    let edited = with.replace("\"a\": 1", "\"a\": 2").replace(
        "\"runtimes\": {",
        "\"runtimes\": {\n    \"kata\": {\"path\": \"/k\"},",
    );
    let without = Json::unset(&edited, &set).unwrap();
    assert_eq!(
        without,
        "{\n  \"a\": 2,\n  \"runtimes\": {\n    \"kata\": {\"path\": \"/k\"}\n  }\n}\n"
    );
}

#[test]
fn a_default_comes_back_unless_somebody_has_changed_it() {
    let setting = Setting::over(&["default-runtime"], json!("pipework"));
    let text = "{\"default-runtime\": \"crun\"}";
    let (with, set) = Json::set(text, &setting).unwrap().unwrap();
    assert_eq!(Json::unset(&with, &set).unwrap(), text);
    let other = with.replace("pipework", "kata");
    assert_eq!(Json::unset(&other, &set).unwrap(), other);
}

#[test]
fn anothers_value_and_a_broken_text_are_refused_with_their_place() {
    let text = r#"{"runtimes": {"pipework": {"path": "/other"}}}"#;
    let refused = Json::set(text, &runtime()).unwrap_err();
    assert!(matches!(refused, EditError::Taken { key, .. } if key == "runtimes.pipework"));
    let refused = Json::set("{\n  \"a\": 1,\n}", &runtime()).unwrap_err();
    let EditError::Malformed { line, column, what } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((line, column), (3, 1), "{what}");
    assert!(Json::set("[]", &runtime()).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~\u{e4}\u{1F980}\\\\\"{}\\[\\],]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\{,]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// An object, laid out as people do, maybe with runtimes of its own.
fn text() -> impl Strategy<Value = String> {
    let members = prop::collection::btree_map("[a-z\"\\\\]{1,6}", value(), 0..5);
    let runtimes = prop::option::of(prop::collection::btree_map("[a-o]{1,4}", value(), 0..3));
    (members, runtimes, 0..3, "[ \n]{0,2}").prop_map(|(members, runtimes, layout, end)| {
        let mut object: Map<String, Value> = members.into_iter().collect();
        if let Some(runtimes) = runtimes {
            let runtimes = Value::Object(runtimes.into_iter().collect());
            object.insert("runtimes".to_owned(), runtimes);
        }
        let value = Value::Object(object);
        let text = match layout {
            0 => value.to_string(),
            1 => format!("{value:#}"),
            _ => format!("{value:#}").replace("  ", "\t"),
        };
        text + &end
    })
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn what_was_set_is_taken_out_to_the_byte(text in text()) {
            prop_assume!(check(&text).is_ok());
            match Json::set(&text, &runtime()) {
                Ok(Some((with, set))) => {
                    let value: Value = serde_json::from_str(&with).unwrap();
                    prop_assert_eq!(&value["runtimes"]["pipework"], &runtime().value);
                    prop_assert_eq!(Json::set(&with, &runtime()), Ok(None));
                    prop_assert_eq!(Json::unset(&with, &set), Ok(text));
                }
                Ok(None) => prop_assert!(false, "it was not there"),
                // `runtimes` is no object, or two are.
                Err(EditError::Taken { .. }) => {}
                Err(error) => prop_assert!(false, "{:?}", error),
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[{}\\[\\]\",:a\\\\ \n1]{0,40}") {
            let _ = Json::set(&text, &runtime());
            let set = Set {
                path: runtime().path, value: runtime().value, former: None, made: 1,
            };
            let _ = Json::unset(&text, &set);
        }
    }
}
