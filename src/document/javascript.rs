//! Reading JavaScript: whether it parses, and its references to n8n.
//!
//! n8n runs expressions and Code nodes in sloppy mode (`new Function`, `vm.runInContext`); they are parsed the same way here.

mod chain;
mod script;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, BindingIdentifier, CallExpression, ComputedMemberExpression, ConditionalExpression, Expression, IdentifierReference,
    IfStatement, ImportExpression, LogicalExpression, Program, Statement, StaticMemberExpression, SwitchCase, TryStatement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::{ParseOptions, Parser};
use oxc_span::{GetSpan, SourceType};

pub(crate) use script::{NodeReference, Script};

/// Grammar that a piece of code is parsed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// One expression, between `{{` and `}}`.
    Expression,
    /// The body of an async function, as in a Code node.
    Body,
}

/// Reason why code cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not parse, starting at this byte.
    Syntax { offset: usize, problem: String },
    /// There is nothing but whitespace and comments where an expression is expected.
    Empty,
    /// It is a statement where an expression is expected.
    Statement,
    /// It is too large or too deeply nested to be parsed.
    Unread,
}

/// Stack that the parser and the visitor need for one token that may nest, in bytes: twice the measured value
/// (docs/decisions/0010-javascript-parser.md).
const STACK_PER_TOKEN: usize = if cfg!(debug_assertions) { 24 << 10 } else { 3 << 10 };
/// Stack that they need apart from that.
const STACK: usize = 64 << 10;
/// Maximum number of such tokens. The largest Code node among 300 published workflows has a fifth of it.
const MAX_TOKENS: usize = 5_000;
/// Maximum number of brackets open at once, as far as can be counted without parsing: the parser tries some of them twice, so that its time
/// grows with the square of the depth.
const MAX_DEPTH: usize = 200;

/// Maximum size, in bytes, of a syntax tree's memory that a thread keeps for the next one.
const KEPT: usize = 256 << 10;

thread_local! {
    /// Memory of the last syntax tree.
    static ARENA: Cell<Option<Allocator>> = const { Cell::new(None) };
}

/// Parses the code and collects its references.
///
/// The parser recurses without a limit: a document could end the process. Therefore the depth is bounded by the number of tokens that can
/// nest at all, and the stack is sized for that number.
pub(crate) fn read(code: &str, goal: Goal) -> Result<Script, Fault> {
    if goal == Goal::Expression
        && let Some(script) = chain::read(code)
    {
        return Ok(script);
    }
    let tokens = nesting_tokens(code);
    if tokens > MAX_TOKENS || open_brackets(code) > MAX_DEPTH {
        return Err(Fault::Unread);
    }
    let stack = STACK + tokens * STACK_PER_TOKEN;
    stacker::maybe_grow(stack, stack, || read_here(code, goal))
}

/// Returns true for text that is a JavaScript object (it begins with a brace), and for text too long or too deep to be parsed.
pub(crate) fn reads_as_object(text: &str) -> bool {
    matches!(read(text, Goal::Expression), Ok(_) | Err(Fault::Unread))
}

/// Returns the maximum number of tokens that can make the parser recurse: every level of nesting needs at least one.
fn nesting_tokens(code: &str) -> usize {
    let flat = |byte: u8| matches!(byte, b',' | b';' | b'"' | b'\'' | b'_' | b'$');
    let nests = |word: &&[u8]| {
        matches!(*word, b"await" | b"delete" | b"do" | b"extends" | b"in" | b"instanceof" | b"new" | b"typeof" | b"void" | b"yield")
    };
    let signs = code.bytes().filter(|byte| byte.is_ascii_punctuation() && !flat(*byte)).count();
    let words = code.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()).filter(nests).count();
    signs + words
}

/// Returns the maximum number of brackets open at once, including those in strings and comments.
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
        Goal::Body => (Cow::from(format!("{HEAD}{code}\n}})")), HEAD.len()),
        // As n8n does, so that an object is not taken for a block.
        Goal::Expression if code.trim_start().starts_with('{') => (Cow::from(format!("({code})")), 1),
        Goal::Expression => (Cow::from(code), 0),
    };
    let mut arena = ARENA.take().unwrap_or_default();
    let read = read_source(&arena, &source, head, code.len(), goal);
    arena.reset();
    ARENA.set(Some(arena).filter(|arena| arena.capacity() <= KEPT));
    read
}

/// Parses the source in which the code, of `length` bytes, begins at `head`.
fn read_source(arena: &Allocator, source: &str, head: usize, length: usize, goal: Goal) -> Result<Script, Fault> {
    let options = ParseOptions { preserve_parens: false, ..ParseOptions::default() };
    let parsed = Parser::new(arena, source, SourceType::script()).with_options(options).parse();
    if let Some(error) = parsed.diagnostics.errors().next() {
        let offset = error.labels.first().map_or(0, |label| label.offset() as usize);
        let offset = offset.saturating_sub(head).min(length);
        return Err(Fault::Syntax { offset, problem: problem(&error.message) });
    }
    if goal == Goal::Expression {
        check_expression(&parsed.program)?;
    }
    let mut collector = Collector::default();
    collector.visit_program(&parsed.program);
    let Collector { mut script, free, declared, module, .. } = collector;
    if let Some(offset) = module {
        let offset = offset.saturating_sub(head).min(length);
        return Err(Fault::Syntax { offset, problem: "import and export are for modules; use require".into() });
    }
    if goal == Goal::Expression {
        script.free = free.difference(&declared).map(|name| (*name).to_owned()).collect();
    }
    Ok(script)
}

/// Checks the first statement only: n8n evaluates it and ignores the others.
fn check_expression(program: &Program<'_>) -> Result<(), Fault> {
    match (program.directives.is_empty(), program.body.first()) {
        (false, _) | (_, Some(Statement::ExpressionStatement(_))) => Ok(()),
        (true, None) => Err(Fault::Empty),
        (true, Some(_)) => Err(Fault::Statement),
    }
}

/// Returns the parser's message if it names tokens only; other messages may quote the code, which may be secret.
fn problem(message: &str) -> String {
    let plain = ["Expected `", "Unexpected token", "Unterminated"].iter().any(|start| message.starts_with(start));
    if plain && message.len() < 120 { message.to_owned() } else { "Invalid syntax".to_owned() }
}

#[derive(Default)]
struct Collector<'a> {
    script: Script,
    /// Names that are used, declared or not.
    free: BTreeSet<&'a str>,
    /// Names that are declared.
    declared: BTreeSet<&'a str>,
    /// Number of conditions and `try` blocks around the current position.
    spared: usize,
    /// Position of the first import or export, which the parser accepts.
    module: Option<usize>,
}

impl Collector<'_> {
    fn note_node(&mut self, name: &str, dotted: bool) {
        self.script.nodes.insert(NodeReference { name: name.to_owned(), spared: self.spared > 0, dotted });
    }

    /// Visits code that may not run.
    fn perhaps(&mut self, visit: impl FnOnce(&mut Self)) {
        self.spared += 1;
        visit(self);
        self.spared -= 1;
    }
}

impl<'a> Visit<'a> for Collector<'a> {
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Expression::Identifier(callee) = &call.callee {
            match callee.name.as_str() {
                "$" | "$items" => {
                    if let Some(name) = call.arguments.first().and_then(written_argument) {
                        self.note_node(name, false);
                    }
                }
                // A fourth argument is the default where no agent gives a value.
                "$fromAI" | "$fromAi" | "$fromai" => self.script.from_ai |= call.arguments.len() < 4,
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
        let handled = usize::from(statement.handler.is_some());
        self.spared += handled;
        self.visit_block_statement(&statement.block);
        self.spared -= handled;
        if let Some(handler) = &statement.handler {
            self.perhaps(|this| this.visit_catch_clause(handler));
        }
        if let Some(block) = &statement.finalizer {
            self.visit_block_statement(block);
        }
    }

    fn visit_if_statement(&mut self, statement: &IfStatement<'a>) {
        self.visit_expression(&statement.test);
        self.perhaps(|this| {
            this.visit_statement(&statement.consequent);
            statement.alternate.iter().for_each(|alternate| this.visit_statement(alternate));
        });
    }

    fn visit_switch_case(&mut self, case: &SwitchCase<'a>) {
        self.perhaps(|this| walk::walk_switch_case(this, case));
    }

    fn visit_conditional_expression(&mut self, choice: &ConditionalExpression<'a>) {
        self.visit_expression(&choice.test);
        self.perhaps(|this| {
            this.visit_expression(&choice.consequent);
            this.visit_expression(&choice.alternate);
        });
    }

    fn visit_logical_expression(&mut self, expression: &LogicalExpression<'a>) {
        self.visit_expression(&expression.left);
        self.perhaps(|this| this.visit_expression(&expression.right));
    }

    fn visit_identifier_reference(&mut self, reference: &IdentifierReference<'a>) {
        if reference.name.as_str() == "$" {
            // As in JSONPath.
            self.script.barred = Some("n8n refuses $ without a call, as in $('node name'); for the input write $json");
        }
        self.free.insert(reference.name.as_str());
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        self.script.barred = Some("n8n has no import in expressions");
        walk::walk_import_expression(self, import);
    }

    fn visit_binding_identifier(&mut self, binding: &BindingIdentifier<'a>) {
        self.declared.insert(binding.name.as_str());
    }
}

fn is_named(expression: &Expression<'_>, name: &str) -> bool {
    matches!(expression, Expression::Identifier(identifier) if identifier.name.as_str() == name)
}

/// Returns the text of a string literal.
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
mod tests;
