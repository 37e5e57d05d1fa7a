//! What the parser knows about a file: its functions, and which lines are there to test.

use std::ops::RangeInclusive;

use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, ExprMatch, ImplItemFn, ItemFn, ItemMod, Meta, Pat, Signature, TraitItemFn,
};

/// One function with a body.
pub struct Function {
    pub name: String,
    pub lines: RangeInclusive<usize>,
}

impl Function {
    /// From the `fn` line to the closing brace.
    pub fn length(&self) -> usize {
        self.lines.end() - self.lines.start() + 1
    }
}

/// The items of one file that a rule asks about.
#[derive(Default)]
pub struct Items {
    pub functions: Vec<Function>,
    /// Lines of `_` arms in matches that name variants in other arms.
    pub wildcards: Vec<usize>,
    /// Lines of `#[cfg(test)]` modules and of test functions.
    tests: Vec<RangeInclusive<usize>>,
    /// Lines of asynchronous tests whose clock is simulated.
    paused: Vec<RangeInclusive<usize>>,
    /// How many asynchronous tests there are.
    async_tests: usize,
}

impl Items {
    /// Parses the file.
    pub fn of(source: &str) -> syn::Result<Items> {
        let file = syn::parse_file(source)?;
        let mut items = Items::default();
        items.visit_file(&file);
        Ok(items)
    }

    /// True if the line is inside of a test.
    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// True if waiting on this line costs no time: inside a test with a simulated clock, or in a
    /// helper of a file in which every asynchronous test has one.
    pub fn is_paused(&self, line: usize) -> bool {
        let all = self.async_tests > 0 && self.async_tests == self.paused.len();
        all || self.paused.iter().any(|lines| lines.contains(&line))
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature, body: &Block) {
        let first = signature.fn_token.span.start().line;
        let lines = first..=body.brace_token.span.close().end().line;
        self.functions.push(Function {
            name: signature.ident.to_string(),
            lines: lines.clone(),
        });
        let Some(test) = attributes.iter().find(|one| is_test_attribute(one)) else {
            return;
        };
        self.tests.push(lines.clone());
        if signature.asyncness.is_some() {
            self.async_tests += 1;
            self.paused
                .extend(mentions(test, "start_paused").then_some(lines));
        }
    }
}

impl<'ast> Visit<'ast> for Items {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.attrs, &item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_match(&mut self, item: &'ast ExprMatch) {
        if item.arms.iter().any(|arm| names_variant(&arm.pat)) {
            let lines = item.arms.iter().filter_map(|arm| wildcard(&arm.pat));
            self.wildcards.extend(lines);
        }
        visit::visit_expr_match(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let is_test = item
            .attrs
            .iter()
            .any(|one| one.path().is_ident("cfg") && mentions(one, "test"));
        if let Some((brace, _)) = &item.content
            && is_test
        {
            self.tests
                .push(brace.span.open().start().line..=brace.span.close().end().line);
        }
        visit::visit_item_mod(self, item);
    }
}

/// True if the pattern is a variant like `Code::A`, or a choice with one.
fn names_variant(pattern: &Pat) -> bool {
    match pattern {
        Pat::Path(pattern) => pattern.path.segments.len() > 1,
        Pat::Or(pattern) => pattern.cases.iter().any(names_variant),
        _ => false,
    }
}

/// The line of a pattern that takes everything.
fn wildcard(pattern: &Pat) -> Option<usize> {
    match pattern {
        Pat::Wild(pattern) => Some(pattern.underscore_token.span.start().line),
        Pat::Ident(pattern) if pattern.subpat.is_none() => Some(pattern.ident.span().start().line),
        _ => None,
    }
}

/// `#[test]`, `#[tokio::test]` and their like.
fn is_test_attribute(attribute: &Attribute) -> bool {
    attribute
        .path()
        .segments
        .last()
        .is_some_and(|last| last.ident == "test")
}

/// True if the word is among the attribute's arguments.
fn mentions(attribute: &Attribute, word: &str) -> bool {
    match &attribute.meta {
        Meta::List(list) => list
            .tokens
            .to_string()
            .split(|c| !super::scan::is_word(c))
            .any(|part| part == word),
        Meta::Path(_) | Meta::NameValue(_) => false,
    }
}
