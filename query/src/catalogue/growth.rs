//! How many tables a query stands for once its WITH clauses are put in.
//!
//! Invariant: a query that doubles itself from one WITH to the next is
//! refused before it is planned, because a planner copies what a name stands
//! for at each place that names it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, Visit, Visitor};

/// The tables that a statement stands for.
pub(crate) fn tables_of(statement: &Statement) -> usize {
    let mut counter = Counter { scopes: vec![Scope::default()] };
    let _ = statement.visit(&mut counter);
    counter.scopes.iter().fold(0, |sum: usize, scope| sum.saturating_add(scope.tables))
}

/// One query, with the names that its WITH gives.
#[derive(Default)]
struct Scope {
    tables: usize,
    /// The largest query that a WITH here names.
    largest: usize,
    /// How many tables a name stands for, once its query was seen.
    sizes: HashMap<String, usize>,
    /// Which query a name stands for, by its address.
    names: HashMap<*const Query, String>,
}

/// Queries are seen in the order of the text: each WITH before what uses it.
struct Counter {
    scopes: Vec<Scope>,
}

impl Visitor for Counter {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let named = query.with.iter().flat_map(|with| &with.cte_tables);
        let names = named.map(|cte| (&raw const *cte.query, cte.alias.name.value.to_lowercase())).collect();
        self.scopes.push(Scope { names, ..Scope::default() });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let Some(ended) = self.scopes.pop() else { return ControlFlow::Continue(()) };
        let size = ended.tables.max(ended.largest);
        if let Some(outer) = self.scopes.last_mut() {
            match outer.names.get(&(&raw const *query)) {
                Some(name) => {
                    outer.largest = outer.largest.max(size);
                    outer.sizes.insert(name.clone(), size);
                }
                None => outer.tables = outer.tables.saturating_add(size),
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = relation.to_string().trim_matches('"').to_lowercase();
        let size = self.scopes.iter().rev().find_map(|scope| scope.sizes.get(&name)).copied().unwrap_or(1);
        if let Some(scope) = self.scopes.last_mut() {
            scope.tables = scope.tables.saturating_add(size);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn count(sql: &str) -> usize {
        tables_of(&Parser::parse_sql(&GenericDialect {}, sql).expect("SQL")[0])
    }

    #[test]
    fn tables_are_counted_as_often_as_they_are_planned() {
        assert_eq!(count("SELECT 1"), 0);
        assert_eq!(count("SELECT * FROM a, b JOIN c ON true WHERE EXISTS (SELECT 1 FROM d)"), 4);
        assert_eq!(count("WITH a AS (SELECT 1 FROM x, y) SELECT * FROM a UNION SELECT * FROM A, \"a\""), 6);
        assert_eq!(count("WITH a AS (SELECT 1 FROM x, y, z) SELECT 1"), 3);
        // An inner name hides an outer one, and is gone after its query.
        let inner =
            "WITH a AS (SELECT 1 FROM x, y) SELECT * FROM (WITH a AS (SELECT 1 FROM x, y, z) SELECT * FROM a), a";
        assert_eq!(count(inner), 5);
    }

    #[test]
    fn what_doubles_is_seen() {
        let mut sql = "WITH a0 AS (SELECT 1 FROM x)".to_owned();
        for level in 1..100 {
            sql += &format!(", a{level} AS (SELECT * FROM a{0} UNION ALL SELECT * FROM a{0})", level - 1);
        }
        assert_eq!(count(&format!("{sql} SELECT * FROM a6")), usize::MAX);
        assert_eq!(count(&sql.replace(", a7 AS", " SELECT * FROM a6 -- ")), 64);
    }
}
