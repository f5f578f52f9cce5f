//! How deeply a text nests, before anything is built from it.
//!
//! Invariant: parsers and planners recurse once per operator of a chain such
//! as `a OR b OR c …` and once per table of a join or union, and a stack that
//! overflows ends the process. What is let through here takes at most a fifth
//! of the stack of [`crate::deep`]: five times as many operators were planned
//! and run there.

use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::growth::tables_of;
use crate::error::QueryError;

/// The most operators that may depend on each other.
const CHAIN_MAX: usize = 1_000;
/// The most tables, and the most set operations, of one query. More could be
/// planned, but a join of a hundred tables takes a second to plan already.
const RELATIONS_MAX: usize = 100;
/// More parts than this in a name are field accesses, which nest.
const NAME_PARTS_MAX: usize = 3;

/// One pair of parentheses.
#[derive(Default)]
struct Level {
    /// Operators since the last comma.
    operators: usize,
    /// The deepest chain in parentheses since the last comma.
    inner: usize,
    /// The deepest chain before the last comma.
    before: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.before.max(self.operators + self.inner)
    }

    fn next_part(&mut self) {
        *self = Level { before: self.depth(), ..Level::default() };
    }
}

/// Refuses a text whose tokens could nest too deeply.
pub(crate) fn check_text(text: &str) -> Result<(), QueryError> {
    // A text that has no tokens is left to the parser, which says why.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize() else { return Ok(()) };
    let mut levels = vec![Level::default()];
    let (mut set_operations, mut name_parts, mut after_not) = (0, 0, false);
    // Spaces would come between the words of one operator.
    for token in tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))) {
        name_parts = match &token {
            Token::Period => name_parts + 1,
            Token::Word(_) => name_parts,
            _ => 0,
        };
        set_operations += usize::from(is_set_operation(&token));
        match &token {
            Token::LParen => levels.push(Level::default()),
            Token::RParen if levels.len() > 1 => {
                let inner = levels.pop().map_or(0, |level| level.depth());
                if let Some(level) = levels.last_mut() {
                    level.inner = level.inner.max(inner);
                }
            }
            token if is_separator(token) => levels.iter_mut().last().into_iter().for_each(Level::next_part),
            token if after_not && can_be_negated(token) => {}
            token if is_operator(token) || (*token == Token::Period && name_parts > NAME_PARTS_MAX) => {
                levels.iter_mut().last().into_iter().for_each(|level| level.operators += 1);
            }
            _ => {}
        }
        after_not = matches!(&token, Token::Word(word) if word.keyword == Keyword::NOT);
    }
    // Parentheses that are never closed still nest.
    let deepest =
        levels.iter().rev().fold(0, |inner, level| level.before.max(level.operators + level.inner.max(inner)));
    if deepest > CHAIN_MAX {
        let chain = format!(
            "it chains {deepest} operators, and at most {CHAIN_MAX} can be planned; use IN (…) for a list of values"
        );
        return Err(QueryError::TooComplex(chain));
    }
    relations_fit(set_operations)
}

/// Refuses a statement with too many tables.
pub(crate) fn check_relations(statement: &Statement) -> Result<(), QueryError> {
    relations_fit(tables_of(statement))
}

fn relations_fit(count: usize) -> Result<(), QueryError> {
    if count <= RELATIONS_MAX {
        return Ok(());
    }
    // What doubles from name to name soon has no number any more.
    let count = if count > 1_000_000 { "more than a million".to_owned() } else { count.to_string() };
    let tables = format!(
        "it joins or unites {count} tables (a WITH counts as often as it is named), \
         and at most {RELATIONS_MAX} can be planned; use several queries"
    );
    Err(QueryError::TooComplex(tables))
}

fn is_set_operation(token: &Token) -> bool {
    let Token::Word(word) = token else { return false };
    matches!(word.keyword, Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS)
}

/// What is one operator together with a NOT before it.
fn can_be_negated(token: &Token) -> bool {
    use Keyword as K;
    let Token::Word(word) = token else { return false };
    matches!(word.keyword, K::LIKE | K::ILIKE | K::IN | K::BETWEEN | K::RLIKE | K::REGEXP | K::SIMILAR)
}

/// What ends one expression and begins the next.
fn is_separator(token: &Token) -> bool {
    match token {
        Token::Comma | Token::SemiColon => true,
        Token::Word(word) => {
            matches!(word.keyword, Keyword::SELECT | Keyword::WHEN | Keyword::THEN | Keyword::ELSE | Keyword::ON)
                && word.quote_style.is_none()
        }
        _ => false,
    }
}

/// What an expression can be continued with. Symbols that are not known not
/// to do so count.
fn is_operator(token: &Token) -> bool {
    use Keyword as K;
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            K::AND
                | K::OR
                | K::XOR
                | K::NOT
                | K::IS
                | K::IN
                | K::BETWEEN
                | K::LIKE
                | K::ILIKE
                | K::RLIKE
                | K::REGEXP
                | K::MATCH
                | K::SIMILAR
                | K::MEMBER
                | K::OVERLAPS
                | K::OPERATOR
                | K::DIV
                | K::AT
                | K::COLLATE
                | K::NOTNULL
                | K::CASE
                | K::EXISTS
        ),
        Token::EOF | Token::Whitespace(_) | Token::Number(..) | Token::Period | Token::RParen => false,
        Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) | Token::RBracket => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(text: &str) -> bool {
        check_text(text).is_ok()
    }

    #[test]
    fn chains_are_refused_and_lists_are_not() {
        for link in
            [" + 1", " OR a", " || a", "::int", " IS NULL", " = a", "[1]", " AT TIME ZONE 'x'", ".a", " NOT LIKE 'x'"]
        {
            assert!(passes(&format!("SELECT a{}", link.repeat(CHAIN_MAX))), "{link}");
            let much = link.repeat(CHAIN_MAX + 4);
            assert!(!passes(&format!("SELECT a{much}")), "{link}");
            assert!(!passes(&format!("SELECT (1, f(a{much}))")), "{link}");
            assert!(!passes(&format!("SELECT (a{much}")), "{link}");
        }
        assert!(!passes(&format!("SELECT {}1{}", "(1 + ".repeat(CHAIN_MAX + 1), ")".repeat(CHAIN_MAX + 1))));
        assert!(!passes(&format!("SELECT 1{}", " UNION SELECT 1".repeat(RELATIONS_MAX + 1))));
        assert!(passes(&format!("SELECT 1{}", ", a.b + 2 AS c".repeat(5_000))));
        assert!(passes(&format!("SELECT a IN (1{})", ", 2".repeat(5_000))));
        assert!(passes(&format!("SELECT CASE {} END", "WHEN a = 1 THEN 2 ".repeat(5_000))));
        assert!(passes(&format!("SELECT 1 WHERE {}", vec!["(t.a = 1 AND t.b > 2)"; CHAIN_MAX - 3].join(" OR "))));
    }
}
