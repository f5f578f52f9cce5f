//! `stempoint views`: the SQL of the views, for any reader of the open tables.

use anyhow::{Result, bail};
use stempoint_query::Session;
use stempoint_query::catalogue::{published, published_script};

use crate::cli::ViewsArgs;

pub fn run(args: &ViewsArgs) -> Result<()> {
    let Some(name) = &args.name else {
        print!("{}", published_script());
        return Ok(());
    };
    let Some(sql) = published(name) else {
        let relations = Session::relations();
        let known: Vec<&str> =
            relations.iter().map(|relation| relation.name).filter(|name| published(name).is_some()).collect();
        bail!("failed to find the view {name}; there are {}", known.join(", "));
    };
    print!("{sql}");
    Ok(())
}
