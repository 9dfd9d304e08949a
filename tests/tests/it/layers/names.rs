//! Every path that a source text names: in imports, in code, in attributes, and among the tokens of macros.

use std::path::Path;

use syn::buffer::{Cursor, TokenBuffer};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{ItemExternCrate, ItemMod, ItemUse, Macro, MetaList, UseTree};

/// The module that a file is, such as `["store", "rows"]` for `control-plane/src/store/rows.rs`.
pub fn module_of(file: &Path) -> Vec<String> {
    let names: Vec<_> = file.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let inside = names.iter().position(|name| name == "src").map_or(0, |src| src + 1);
    let mut module = names[inside..].to_vec();
    if let Some(last) = module.pop() {
        let stem = last.strip_suffix(".rs").unwrap_or(&last);
        if !["lib", "main", "mod"].contains(&stem) {
            module.push(stem.to_owned());
        }
    }
    module
}

/// The paths in a source text of a module. Those that begin with `self` or `super` are made to begin with `crate`.
pub fn paths_in(module: &[String], source: &str) -> Vec<Vec<String>> {
    let mut paths = Paths { module: module.to_vec(), found: Vec::new() };
    paths.visit_file(&syn::parse_file(source).expect("the source is Rust"));
    paths.found
}

struct Paths {
    /// The module that is being read, inline ones included.
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    fn add(&mut self, path: &[String]) {
        let mut module = self.module.as_slice();
        let mut rest = path;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => module = module.split_last().map_or(module, |(_, parent)| parent),
                _ => break,
            }
            rest = after;
        }
        let absolute = match rest.len() == path.len() {
            true => path.to_vec(),
            false => [&["crate".to_owned()], module, rest].concat(),
        };
        self.found.push(absolute);
    }

    fn add_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&with(path.ident.unraw().to_string()), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.add_tree(before, item)),
            UseTree::Glob(_) => self.add(&with("*".to_owned())),
            UseTree::Name(name) if name.ident == "self" => self.add(before),
            UseTree::Rename(name) if name.ident == "self" => self.add(before),
            UseTree::Name(name) => self.add(&with(name.ident.unraw().to_string())),
            UseTree::Rename(name) => self.add(&with(name.ident.unraw().to_string())),
        }
    }

    /// Reads paths out of tokens, without a grammar. `before` is the path that a group in braces belongs to.
    fn add_tokens(&mut self, before: &[String], mut cursor: Cursor) {
        let mut path = before.to_vec();
        let mut colons = 2;
        while !cursor.eof() {
            if let Some((identifier, next)) = cursor.ident() {
                if colons != 2 {
                    self.add_if_longer(before, &path);
                    path = before.to_vec();
                }
                path.push(identifier.unraw().to_string());
                (colons, cursor) = (0, next);
            } else if let Some((_, next)) = cursor.punct().filter(|(punctuation, _)| punctuation.as_char() == ':') {
                (colons, cursor) = (colons + 1, next);
            } else {
                let belongs = colons == 2;
                if let Some((inside, _, _, next)) = cursor.any_group() {
                    self.add_tokens(if belongs { &path } else { &[] }, inside);
                    cursor = next;
                } else {
                    cursor = cursor.token_tree().map_or(cursor, |(_, next)| next);
                }
                self.add_if_longer(before, &path);
                (path, colons) = (before.to_vec(), 2);
            }
        }
        self.add_if_longer(before, &path);
    }

    fn add_if_longer(&mut self, before: &[String], path: &[String]) {
        if path.len() > before.len() {
            self.add(path);
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.unraw().to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&[], &item.tree);
        visit::visit_item_use(self, item);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        self.add(&[item.ident.unraw().to_string()]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
        self.add(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        visit::visit_macro(self, called);
        self.add_tokens(&[], TokenBuffer::new2(called.tokens.clone()).begin());
    }

    fn visit_meta_list(&mut self, attribute: &'ast MetaList) {
        visit::visit_meta_list(self, attribute);
        self.add_tokens(&[], TokenBuffer::new2(attribute.tokens.clone()).begin());
    }
}
