use super::*;
use proptest::prelude::*;

fn names(code: &str, goal: Goal) -> Vec<String> {
    read(code, goal).unwrap().nodes.into_iter().map(|node| node.name).collect()
}

#[test]
fn references_are_read_as_javascript_reads_them() {
    for (code, name) in [
        ("$('A').item.json.b", "A"),
        (r#"$("It's \"A\"").first()"#, r#"It's "A""#),
        (r"$('It\'s').all()", "It's"),
        ("$(`A`).last()", "A"),
        (r#"$node["A b"].json.c"#, "A b"),
        ("$node.A.json", "A"),
        (r#"$items("A", 0)[0]"#, "A"),
        ("$json.x.map(y => $('A').all()[y])", "A"),
        ("`${$('A').item.json.b}`", "A"),
        ("$('A')?.item?.json", "A"),
        ("($('A')).item", "A"),
    ] {
        assert_eq!(names(code, Goal::Expression), [name], "{code}");
    }
    for code in ["'$(\"A\")'", "$(`A${1}`).item", "$($json.name).item", "x.$('A')", "$node[$json.a]", "/* $('A') */ 1"] {
        assert_eq!(names(code, Goal::Expression), [] as [&str; 0], "{code}");
    }
    assert!(read("$('A').isExecuted", Goal::Expression).unwrap().asked.contains("A"));
    assert!(read("$fromai('a')", Goal::Expression).unwrap().from_ai);
    assert!(!read("$fromAI('a', '', 'string', 'b')", Goal::Expression).unwrap().from_ai);
    let spared = |code: &str, goal| read(code, goal).unwrap().nodes.first().unwrap().spared;
    for code in ["try { return $('A').all() } catch { return [] }", "if ($json.a) { return $('A').all() }", "switch (1) { case 2: $('A') }"]
    {
        assert!(spared(code, Goal::Body), "{code}");
    }
    for (code, is_spared) in [
        ("$json.a ? $('A').item : 1", true),
        ("$json.a || $('A').item", true),
        ("$json.a && ($json.b ?? $('A').item)", true),
        ("$('A').item ? 1 : 2", false),
        ("$('A').item || 1", false),
        ("[1].map(() => $('A').item)", false),
    ] {
        assert_eq!(spared(code, Goal::Expression), is_spared, "{code}");
    }
}

#[test]
fn names_that_the_code_declares_are_not_free() {
    let free = read("[1].map(($x, y) => $x + y + $z)", Goal::Expression).unwrap().free;
    assert_eq!(free.into_iter().collect::<Vec<_>>(), ["$z"]);
}

#[test]
fn an_expression_is_what_n8n_evaluates() {
    for code in ["1", " {a: 1} ", "'use strict'", "a; b", "function () {}.x", "x = 1", "{a: 1}.a", "\n// c\n1", "await"] {
        let fine = !code.starts_with("function");
        assert_eq!(read(code, Goal::Expression).is_ok(), fine, "{code}");
    }
    assert_eq!(read(" ", Goal::Expression), Err(Fault::Empty));
    assert_eq!(read("/* a */", Goal::Expression), Err(Fault::Empty));
    for code in ["if (a) b", "const a = 1; a"] {
        assert_eq!(read(code, Goal::Expression), Err(Fault::Statement), "{code}");
    }
    for code in ["$json.", "$json.a b", "(1", "'a", "$json.a }", "return 1", "await x", "a ? b"] {
        assert!(matches!(read(code, Goal::Expression), Err(Fault::Syntax { .. })), "{code}");
    }
}

#[test]
fn a_body_may_return_and_wait() {
    for code in ["return await x;", "", "for (const a of b) { await a }\nreturn []", "return 1 // last", "var let = 1; with (a) b"] {
        assert!(read(code, Goal::Body).is_ok(), "{code}");
    }
    for code in ["return [", "const a = 1; const = 2", "import a from 'b'", "}", "let x: string = 'a'"] {
        assert!(matches!(read(code, Goal::Body), Err(Fault::Syntax { .. })), "{code}");
    }
}

#[test]
fn a_fault_says_where_it_is_and_repeats_nothing() {
    assert_eq!(read("$json.a +", Goal::Expression), Err(Fault::Syntax { offset: 9, problem: "Unexpected token".into() }));
    let Err(Fault::Syntax { offset, problem }) = read("const a = 1\nconst b = 'hush hush' hush", Goal::Body) else { panic!() };
    assert!(offset >= 20 && !problem.contains("hush"), "{offset} {problem}");
}

/// Returns the worst nested shapes, `n` levels deep.
fn nested(n: usize) -> Vec<String> {
    let around = |open: &str, close: &str| format!("{}1{}", open.repeat(n), close.repeat(n));
    vec![
        around("(", ")"),
        around("[", "]"),
        around("a(", ")"),
        around("({a:", "})"),
        around("`${", "}`"),
        around("a=>{return ", "}"),
        around("(a=>", ")"),
        around("(function(){return ", "})"),
        around("(class{a=", "})"),
        around("new (", ")"),
        "(".repeat(n),
        "[".repeat(n),
        "`${".repeat(n),
        "a=>{".repeat(n),
        "(function(){".repeat(n),
        "a[".repeat(n),
        "(class{a=".repeat(n),
        "!".repeat(n) + "1",
        "new ".repeat(n) + "a",
        "a=>".repeat(n) + "1",
        "a?b:".repeat(n) + "1",
        "a=".repeat(n) + "1",
        "a**".repeat(n) + "1",
        "a+".repeat(n) + "1",
        "a".to_owned() + &".b".repeat(n),
        "a".to_owned() + &"()".repeat(n),
        "a".to_owned() + &"``".repeat(n),
        "x;".to_owned() + &"if(a)b;else ".repeat(n) + "b",
        "x;".to_owned() + &"do ".repeat(n) + "b",
        "x;".to_owned() + &"a:".repeat(n) + "b",
        "x;".to_owned() + &"{".repeat(n) + &"}".repeat(n),
        "x;".to_owned() + &"try{".repeat(n) + &"}finally{}".repeat(n),
        "x;".to_owned() + &"class a extends ".repeat(n) + "b{}" + &"{}".repeat(n),
        "x;".to_owned() + &"switch(a){case 1:".repeat(n) + &"}".repeat(n),
        "x;var {a:".to_owned() + &"{a:".repeat(n) + "b" + &"}".repeat(n + 1) + "=c",
        "[".repeat(n) + "a" + &"]".repeat(n) + "=b",
    ]
}

#[test]
fn deeply_nested_code_does_not_end_the_process() {
    for code in nested(3_000).into_iter().chain(nested(60)) {
        // The result does not matter, only that the call returns.
        let _ = read(&code, Goal::Expression);
        let _ = read(&code, Goal::Body);
    }
    assert_eq!(read(&"(".repeat(MAX_TOKENS + 1), Goal::Expression), Err(Fault::Unread));
}

#[test]
fn code_is_read_on_a_small_stack_too() {
    let read_all = || nested(60).iter().for_each(|code| drop(read(code, Goal::Body)));
    std::thread::Builder::new().stack_size(128 << 10).spawn(read_all).unwrap().join().unwrap();
}

#[test]
fn common_expressions_are_chains_and_those_with_a_meaning_of_their_own_are_not() {
    for code in [
        " $json.body.id ",
        "$json",
        "$json[\"a b\"][0]?.c",
        "$('A b').first().json['ä']",
        "$input.all()",
        "$now.class",
        "\n$items\n",
        "$('')",
    ] {
        assert_eq!(chain::read(code), Some(read_here(code, Goal::Expression).unwrap()), "{code}");
    }
    for code in [
        "",
        "$",
        "$.a",
        "$node.A",
        "$node",
        "$json()",
        "$fromAI('a')",
        "$('A').isExecuted",
        "$('A')()",
        "$(`A`).item",
        r"$('It\'s').item",
        "$json.a.b()c",
        "$json.a ?? 1",
        "$json .a",
        "$json.a()(1)",
        "$json.#a",
        "$json.ä",
        "$jsonä",
        "$json[00]",
        "$json['a'",
        "$json.",
        "$json?.",
        "$json?.[0]",
        "json.a",
        "$json.a\n.b",
    ] {
        assert_eq!(chain::read(code), None, "{code}");
    }
    assert_eq!(chain::read(&format!("$json{}", ".a".repeat(1_000))), None);
}

proptest! {
    #[test]
    fn a_chain_is_read_as_the_parser_reads_it(
        head in r#"\$(json|node|input|now|items|fromAI|[a-z$_0-9]{0,3}|\('[ a-zA-Z\\'"$.ä]{0,4}['"]\)|\("x"\))"#,
        rest in r#"(\.[a-zA-Z_$0-9#ä]{1,4}|\?\.[a-z]{1,2}|\['[a-z \\]{0,3}'\]|\["[é$(]{0,3}"\]|\[[0-9]{0,3}\]|\(\)|\.isExecuted|\.constructor| |\?){0,5}"#,
    ) {
        let code = format!("{head}{rest}");
        if let Some(script) = chain::read(&code) {
            prop_assert_eq!(Ok(script), read_here(&code, Goal::Expression), "{}", code);
        }
    }
}
