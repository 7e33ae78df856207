use proptest::prelude::*;

use super::*;

fn hook(path: &str, id: &str) -> Route {
    Route::new("GET", if path.is_empty() { id } else { path }, Some(id), path.is_empty())
}

#[test]
fn a_path_is_kept_as_n8n_keeps_it() {
    for (written, kept) in [
        ("orders", "orders"),
        ("/orders/", "orders"),
        (" /orders ", "orders"),
        ("//orders", "orders"),
        ("///orders", "/orders"),
        ("orders//", "orders"),
        ("/ orders / ", "orders"),
        ("\u{feff}orders\u{3000}", "orders"),
        ("\u{85}orders", "\u{85}orders"),
        ("a//b", "a//b"),
        ("A%2Fb", "A%2Fb"),
    ] {
        assert_eq!(normalised(written), kept, "{written:?}");
    }
    for lost in ["//a", "a//", " /w/ / ", "/ a"] {
        assert!(is_lost(trimmed(lost)), "{lost:?}");
    }
    for served in ["a//b", "/a/", " a ", "a/./b", ":x", ""] {
        assert!(!is_lost(trimmed(served)), "{served:?}");
    }
}

#[test]
fn routes_that_could_answer_calls_of_another_workflow_collide() {
    let victim = hook("user/:id", "W");
    let method = |method: &str, path: &str, id: &str| Route::new(method, path, Some(id), false);
    for taken in [
        hook(":x/42", "W"),
        hook("W/user/42", "x"),
        hook("/W/user/42/", "x"),
        hook(" W/user/42", "x"),
        hook("//W/user/42", "x"),
        hook("W", "x"),
        hook("", "W"),
        hook("", "/W"),
        hook("", " W "),
        hook(":a/:b/:c", "W"),
        hook("user/:id", "x"),
        method("POST", "W/other", "x"),
        method("POST", ":x", "W"),
        Route::new("POST", "W/webhook", Some("W"), true),
        Route::new("GET", "W/user/chat", Some("W/user"), true),
    ] {
        assert!(collide(&victim, &taken) && collide(&taken, &victim), "{taken:?}");
    }
    for free in [
        hook("w/user/42", "x"),
        hook("orders/:id", "x"),
        hook("orders", "W"),
        hook("W%2Fuser/42", "x"),
        hook("WW/user", "x"),
        hook("users/:id", "x"),
    ] {
        assert!(!collide(&victim, &free), "{free:?}");
    }
    // Paths that begin with no workflow's id are assigned one by one.
    assert!(!collide(&hook("shop/orders", "x"), &hook("shop/items", "y")));
    assert!(!collide(&method("GET", "shop", "x"), &method("POST", "shop", "y")));
    assert!(collide(&hook("shop", "x"), &hook("/shop/", "y")));
}

#[test]
fn a_call_is_answered_by_a_plain_path_first_and_then_by_the_template_with_the_most_fixed_parts() {
    let table = [hook("user/:id", "W"), hook(":a/:b", "W"), hook("W/user/7", "x"), hook(":x/42", "W"), hook("a:b", "x")];
    let path = |answer: Answer<'_>| match answer {
        Answer::One(route) => route.path.clone(),
        Answer::Any(routes) => routes.iter().map(|route| route.path.as_str()).collect::<Vec<_>>().join(" or "),
        Answer::Nobody => String::new(),
    };
    for (call, wanted) in [
        ("W/user/7", "W/user/7"),
        ("W/user/7/", "W/user/7"),
        ("W/user/8", "user/:id"),
        ("W/8/user", "user/:id"),
        ("W/user/42", "user/:id or :x/42"),
        ("W/any/8", ":a/:b"),
        ("user/:id", "user/:id"),
        ("W/user", ""),
        ("w/user/8", ""),
        ("a:b", "a:b"),
    ] {
        assert_eq!(path(answers(&table, "GET", call)), wanted, "{call}");
        assert_eq!(answers(&table, "POST", call), Answer::Nobody);
    }
}

/// Returns a segment of a path, mostly one that other paths use too.
fn part() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["W", "V", "w", "user", "42", ":id", ":x", "", ".", "..", "%57", " ", "W ", "é", "a:b", "chat"])
        .prop_map(str::to_owned)
}

fn route() -> impl Strategy<Value = Route> {
    let path = prop::collection::vec(part(), 0..4).prop_map(|parts| parts.join("/"));
    let method = prop::sample::select(vec!["GET", "POST"]);
    (method, path, prop::option::of(part()), any::<bool>()).prop_map(|(method, path, id, service)| match &id {
        // A service's trigger, a chat, or a webhook without a path.
        Some(id) if service || path.is_empty() => Route::new(method, &format!("{id}/chat"), Some(id), true),
        _ => Route::new(method, &path, id.as_deref(), false),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn of_two_routes_that_do_not_collide_each_keeps_its_own_callers(
        one in route(), other in route(), call in prop::collection::vec(part(), 1..4), post in any::<bool>()
    ) {
        prop_assert_eq!(collide(&one, &other), collide(&other, &one));
        if collide(&one, &other) {
            return Ok(());
        }
        prop_assert!((&one.method, &one.path) != (&other.method, &other.path), "n8n keeps one entry of these");
        let method = if post { "POST" } else { "GET" };
        // An arbitrary path, and the addresses of both routes, with and without their parameters replaced by a literal segment.
        let filled = |route: &Route| route.address().split('/').map(|part| if part.starts_with(':') { "42" } else { part }).collect::<Vec<_>>().join("/");
        for path in [call.join("/"), one.address(), other.address(), filled(&one), filled(&other)] {
            let table = [one.clone(), other.clone()];
            let alone = |at: usize| answers(&table[at..=at], method, &path) != Answer::Nobody;
            prop_assert!(!(alone(0) && alone(1)), "{:?} reaches both", path);
        }
    }
}
