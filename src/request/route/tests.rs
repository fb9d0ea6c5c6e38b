//! Behaviour of the route parser.

use super::*;

fn refused(text: &str) -> String {
    text.parse::<Route>().unwrap_err().to_string()
}

#[test]
fn every_word_is_read() {
    let text = "10.1.0.0/16 via 10.0.0.1 metric 50 table 100 src 10.0.0.5 onlink";
    assert_eq!(text.parse::<Route>().unwrap().to_string(), text);
}

#[test]
fn default_takes_the_family_of_its_gateway() {
    let v4: Route = "default via 10.0.0.1".parse().unwrap();
    let v6: Route = "default via fe80::1".parse().unwrap();
    assert_eq!(v4.destination.to_string(), "0.0.0.0/0");
    assert_eq!(v6.destination.to_string(), "::/0");
}

#[test]
fn default_without_a_gateway_is_refused() {
    assert_eq!(
        refused("default"),
        "a default route needs via and a gateway"
    );
}

#[test]
fn an_address_alone_is_a_host_route() {
    let route: Route = "10.1.2.3 via 10.0.0.1".parse().unwrap();
    assert_eq!(route.destination.to_string(), "10.1.2.3/32");
}

#[test]
fn host_bits_are_refused_with_the_repair() {
    assert_eq!(
        refused("10.1.2.3/16 via 10.0.0.1"),
        "10.1.2.3/16 has bits set behind its prefix; maybe you meant 10.1.0.0/16"
    );
}

#[test]
fn unknown_words_are_refused_by_name() {
    assert!(refused("10.1.0.0/16 dev eth0").starts_with("dev is not understood"));
}

#[test]
fn a_word_twice_is_refused() {
    assert_eq!(
        refused("10.1.0.0/16 metric 1 metric 2"),
        "metric is written twice in one route"
    );
}

#[test]
fn a_word_without_its_value_is_refused() {
    assert_eq!(refused("10.1.0.0/16 via"), "via needs a value");
}

#[test]
fn a_gateway_of_the_other_family_is_refused() {
    assert_eq!(
        refused("10.1.0.0/16 via fe80::1"),
        "via fe80::1 is of another address family than 10.1.0.0/16"
    );
}

#[test]
fn the_tables_main_and_default_have_names_and_local_is_refused() {
    let table = |text: &str| text.parse::<Route>().map(|route| route.table);
    assert_eq!(table("10.1.0.0/16 table main"), Ok(Some(254)));
    assert_eq!(table("10.1.0.0/16 table default"), Ok(Some(253)));
    for text in ["local", "255", "0", "-1", "x"] {
        assert!(table(&format!("10.1.0.0/16 table {text}")).is_err());
    }
}

#[test]
fn onlink_without_a_gateway_is_refused() {
    assert_eq!(
        "10.1.0.0/16 onlink".parse::<Route>(),
        Err(RouteError::OnlinkWithoutVia)
    );
}

#[test]
fn a_list_is_separated_by_semicolons() {
    let routes = Route::parse_list("10.1.0.0/16 via 10.0.0.1; 10.2.0.0/16;").unwrap();
    assert_eq!(routes.len(), 2);
}

#[test]
fn an_empty_route_in_a_list_is_refused() {
    for text in ["", ";", "10.1.0.0/16;;10.2.0.0/16"] {
        assert_eq!(Route::parse_list(text), Err(RouteError::Empty), "{text}");
    }
}

#[test]
fn next_hops_that_are_no_host_are_refused() {
    for via in ["224.0.0.1", "0.0.0.0", "127.0.0.1", "255.255.255.255"] {
        assert!(refused(&format!("10.1.0.0/16 via {via}")).contains("unicast"));
    }
}
