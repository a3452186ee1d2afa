//! `staymesh job post-missing`.

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use staymesh_payment::jobs::backfill::{self, Found};
use staymesh_store::StoreConfig;

use super::{patient, status::Findings};

/// Posts the missing ledger entries of payments from releases without the ledger.
#[derive(Args)]
pub(crate) struct PostMissing {
    /// Only count what would be posted
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreConfig,
}

impl PostMissing {
    pub(crate) async fn run(self) -> Result<()> {
        let pool = staymesh_store::connect(&patient(self.store))?;
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} payments, {msg}, {eta} left")?);
        let (mut payments, mut posted, mut refused) = (0_u64, 0_u64, 0_u64);
        backfill::run(&pool, self.dry_run, |at| {
            match at.found {
                Some(Found::Posted { postings, .. }) => {
                    payments += 1;
                    posted += *postings as u64;
                }
                Some(Found::Refused { payment_id, constraint }) => {
                    refused += 1;
                    bar.suspend(|| println!("payment {payment_id}: refused by the database, {constraint}"));
                }
                None => {}
            }
            bar.set_length(at.all);
            bar.set_position(at.done);
            bar.set_message(format!("{} postings", HumanCount(posted)));
        })
        .await
        .context("posting what is missing; what is done stays done, so run it again")?;
        bar.finish_and_clear();
        let (payments, posted) = (HumanCount(payments), HumanCount(posted));
        if self.dry_run {
            println!("{payments} payments lack {posted} postings; nothing is posted, for it is a dry run");
        } else {
            println!("{posted} postings for {payments} payments");
        }
        if refused > 0 {
            return Err(Findings(format!("{refused} payments cannot be posted")).into());
        }
        Ok(())
    }
}
