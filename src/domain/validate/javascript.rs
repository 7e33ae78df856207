//! Reading JavaScript: whether it parses, and what of n8n it refers to.
//!
//! n8n runs expressions and Code nodes in sloppy mode (`new Function`, `vm.runInContext`); so are they parsed here.

use std::collections::BTreeSet;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, BindingIdentifier, CallExpression, ComputedMemberExpression, Expression, IdentifierReference, ImportExpression, Program,
    Statement, StaticMemberExpression, TryStatement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::{ParseOptions, Parser};
use oxc_span::{GetSpan, SourceType};

/// What a piece of code is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// One expression, between `{{` and `}}`.
    Expression,
    /// The body of an async function, as in a Code node.
    Body,
}

/// A reference to a node by a name that is written out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeReference {
    pub(super) name: String,
    /// Whether it is inside `try`, where a node that does not exist does no harm.
    pub(super) tried: bool,
    /// Whether it is written as `$node.name`.
    pub(super) dotted: bool,
}

/// What a piece of code refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    /// The nodes, each once.
    pub(super) nodes: BTreeSet<NodeReference>,
    /// The nodes of which the code asks whether they have run.
    pub(super) asked: BTreeSet<String>,
    /// What it uses that n8n bars from expressions.
    pub(super) barred: Option<&'static str>,
    /// Whether it asks an agent for a value.
    pub(super) from_ai: bool,
    /// Names that are used and not declared.
    pub(super) free: BTreeSet<String>,
}

/// Why code cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not parse, from this byte on.
    Syntax { offset: usize, problem: String },
    /// There is nothing but blanks and comments where an expression is wanted.
    Empty,
    /// It is a statement where an expression is wanted.
    Statement,
    /// It is too large or too deeply nested to be looked at.
    Unread,
}

/// The stack that the parser and the walk need for one token that may nest, in bytes: twice of what was measured
/// (docs/decisions/0011-javascript-parser.md).
const STACK_PER_TOKEN: usize = if cfg!(debug_assertions) { 24 << 10 } else { 3 << 10 };
/// What they need apart from that.
const STACK: usize = 64 << 10;
/// Code with more of them is not read. The largest Code node among 300 published workflows has a fifth of it.
const MAX_TOKENS: usize = 5_000;
/// Nor is code with more brackets open at once, as far as can be told without reading it: the parser tries some of
/// them twice, so that its time grows with the square of the depth.
const MAX_DEPTH: usize = 200;

/// Parses the code and collects what it refers to.
///
/// The parser recurses and knows no bound: without one, a document could end the process. So the depth is bounded
/// from above by the number of tokens that can nest at all, and there is a stack for as many.
pub(super) fn read(code: &str, goal: Goal) -> Result<Script, Fault> {
    let tokens = nesting_tokens(code);
    if tokens > MAX_TOKENS || open_brackets(code) > MAX_DEPTH {
        return Err(Fault::Unread);
    }
    let stack = STACK + tokens * STACK_PER_TOKEN;
    stacker::maybe_grow(stack, stack, || read_here(code, goal))
}

/// How many tokens there are that can make the parser recurse, at most: no level of nesting comes without one.
fn nesting_tokens(code: &str) -> usize {
    const WORDS: &[&str] = &["await", "delete", "do", "extends", "in", "instanceof", "new", "typeof", "void", "yield"];
    let flat = |byte: u8| matches!(byte, b',' | b';' | b'"' | b'\'' | b'_' | b'$');
    let signs = code.bytes().filter(|byte| byte.is_ascii_punctuation() && !flat(*byte)).count();
    let words = code.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| WORDS.contains(word)).count();
    signs + words
}

/// The most brackets that are open at once, those in strings and comments included.
fn open_brackets(code: &str) -> usize {
    let (mut open, mut most) = (0usize, 0);
    for byte in code.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

fn read_here(code: &str, goal: Goal) -> Result<Script, Fault> {
    const HEAD: &str = "(async function() {";
    let (source, head) = match goal {
        Goal::Body => (format!("{HEAD}{code}\n}})"), HEAD.len()),
        // As n8n does, so that an object is not taken for a block.
        Goal::Expression if code.trim_start().starts_with('{') => (format!("({code})"), 1),
        Goal::Expression => (code.to_owned(), 0),
    };
    let allocator = Allocator::new();
    let options = ParseOptions { preserve_parens: false, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, &source, SourceType::script()).with_options(options).parse();
    if let Some(error) = parsed.diagnostics.errors().next() {
        let offset = error.labels.first().map_or(0, |label| label.offset() as usize);
        let offset = offset.saturating_sub(head).min(code.len());
        return Err(Fault::Syntax { offset, problem: problem(&error.message) });
    }
    if goal == Goal::Expression {
        check_expression(&parsed.program)?;
    }
    let mut collector = Collector::default();
    collector.visit_program(&parsed.program);
    let Collector { mut script, declared, module, .. } = collector;
    if let Some(offset) = module {
        let offset = offset.saturating_sub(head).min(code.len());
        return Err(Fault::Syntax { offset, problem: "import and export are for modules; use require".into() });
    }
    script.free.retain(|name| !declared.contains(name));
    Ok(script)
}

/// n8n evaluates the first statement and forgets the others.
fn check_expression(program: &Program<'_>) -> Result<(), Fault> {
    match (program.directives.is_empty(), program.body.first()) {
        (false, _) | (_, Some(Statement::ExpressionStatement(_))) => Ok(()),
        (true, None) => Err(Fault::Empty),
        (true, Some(_)) => Err(Fault::Statement),
    }
}

/// The parser's words where they name tokens only; others may quote the code, which may be secret.
fn problem(message: &str) -> String {
    let plain = ["Expected `", "Unexpected token", "Unterminated"].iter().any(|start| message.starts_with(start));
    if plain && message.len() < 120 { message.to_owned() } else { "Invalid syntax".to_owned() }
}

#[derive(Default)]
struct Collector {
    script: Script,
    declared: BTreeSet<String>,
    tries: usize,
    /// Where the first import or export is, which the parser lets pass.
    module: Option<usize>,
}

impl Collector {
    fn note_node(&mut self, name: &str, dotted: bool) {
        self.script.nodes.insert(NodeReference { name: name.to_owned(), tried: self.tries > 0, dotted });
    }
}

impl<'a> Visit<'a> for Collector {
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Expression::Identifier(callee) = &call.callee {
            match callee.name.as_str() {
                "$" | "$items" => {
                    if let Some(name) = call.arguments.first().and_then(written_argument) {
                        self.note_node(name, false);
                    }
                }
                "$fromAI" | "$fromAi" | "$fromai" => self.script.from_ai = true,
                _ => {}
            }
            if callee.name.as_str() == "$" {
                return self.visit_arguments(&call.arguments);
            }
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_computed_member_expression(&mut self, member: &ComputedMemberExpression<'a>) {
        if is_named(&member.object, "$node")
            && let Some(name) = written(&member.expression)
        {
            self.note_node(name, false);
        }
        walk::walk_computed_member_expression(self, member);
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        if is_named(&member.object, "$node") {
            self.note_node(member.property.name.as_str(), true);
        }
        if member.property.name.as_str() == "isExecuted"
            && let Expression::CallExpression(call) = &member.object
            && is_named(&call.callee, "$")
            && let Some(name) = call.arguments.first().and_then(written_argument)
        {
            self.script.asked.insert(name.to_owned());
        }
        walk::walk_static_member_expression(self, member);
    }

    fn visit_statement(&mut self, statement: &Statement<'a>) {
        if statement.is_module_declaration() {
            self.module.get_or_insert(statement.span().start as usize);
        }
        walk::walk_statement(self, statement);
    }

    fn visit_try_statement(&mut self, statement: &TryStatement<'a>) {
        self.tries += usize::from(statement.handler.is_some());
        self.visit_block_statement(&statement.block);
        self.tries -= usize::from(statement.handler.is_some());
        if let Some(handler) = &statement.handler {
            self.visit_catch_clause(handler);
        }
        if let Some(block) = &statement.finalizer {
            self.visit_block_statement(block);
        }
    }

    fn visit_identifier_reference(&mut self, reference: &IdentifierReference<'a>) {
        if reference.name.as_str() == "$" {
            // As in JSONPath.
            self.script.barred = Some("n8n refuses $ without a call, as in $('node name'); for the input write $json");
        }
        self.script.free.insert(reference.name.as_str().to_owned());
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        self.script.barred = Some("n8n has no import in expressions");
        walk::walk_import_expression(self, import);
    }

    fn visit_binding_identifier(&mut self, binding: &BindingIdentifier<'a>) {
        self.declared.insert(binding.name.as_str().to_owned());
    }
}

fn is_named(expression: &Expression<'_>, name: &str) -> bool {
    matches!(expression, Expression::Identifier(identifier) if identifier.name.as_str() == name)
}

/// The text of a string that is written out.
fn written<'b>(expression: &'b Expression<'_>) -> Option<&'b str> {
    match expression {
        Expression::StringLiteral(text) => Some(text.value.as_str()),
        Expression::TemplateLiteral(template) if template.expressions.is_empty() => {
            template.quasis.first()?.value.cooked.as_ref().map(|text| text.as_str())
        }
        _ => None,
    }
}

fn written_argument<'b>(argument: &'b Argument<'_>) -> Option<&'b str> {
    argument.as_expression().and_then(written)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let tried = read("try { return $('A').all() } catch { return [] }", Goal::Body).unwrap();
        assert!(tried.nodes.first().unwrap().tried);
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

    /// The worst shapes that nest, `n` levels deep.
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
    fn code_nested_as_deep_as_you_like_ends_no_process() {
        for code in nested(3_000).into_iter().chain(nested(60)) {
            // What it says is of no interest; that it comes back is.
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
}
