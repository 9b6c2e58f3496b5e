"""What the published tables say of customers, as a notebook: most editors run it cell by cell.

ONEFOLD_TABLES names the folder of the tables; without it they are those of `make demo`. `render.py` makes a page of it.
"""

# %% [markdown]
# # Customers in numbers
#
# Made by [`examples/customers.py`](customers.py), a notebook of plain SQL, from published tables:
# [docs/examples.md](../docs/examples.md) from those of `make demo`, and a test compares it with every change. For a
# page of your own:
#
# ```sh
# make demo
# make page                                     # asks the demo's tables: onefold-demo/examples.html, for a browser
# make page TABLES=out PAGE=report/page.html    # asks other tables; a page.md has its charts beside it
# ```
#
# The queries are DuckDB's, and time is UTC. More questions: [questions.md](../docs/questions.md). Once per session:

# %%
import os

import charts
from pages import Page

tables = ["profiles", "profiles_marketing", "suppression", "identity_map", "interactions"]
folder = os.environ.get("ONEFOLD_TABLES", "onefold-demo/tables")
page = Page()


def percent(part, whole):
    return f"{100 * part / (whole or 1):.0f} %"


page.ask("\n".join(f"CREATE VIEW {name} AS SELECT * FROM delta_scan('{folder}/{name}');" for name in tables))

# %% [markdown]
# ## How many customers are there, really?
#
# Each source knows its own records; `identity_map` says whose they are. A customer is *known* where some record says
# more than a cookie or a device. Before: the records. After: the customers.

# %%
duplicates = page.ask("""
SELECT coalesce(source, 'all') AS source, count(*) AS records, count(DISTINCT identity_id) AS customers,
       round(count(*) / count(DISTINCT identity_id), 2) AS records_each
FROM identity_map JOIN profiles USING (identity_id) WHERE known
GROUP BY ROLLUP (source) ORDER BY source = 'all', records DESC, source
""")

# %%
everything = duplicates.records()[-1]
records, customers = everything["records"], everything["customers"]
page.draw(
    "before-and-after",
    charts.bars(
        f"{records:,} records are {customers:,} customers: {percent(records - customers, records)} were duplicates",
        "Records, and the customers whose they are, by source. Who is in two sources counts in both, and once in all.",
        ["records", "customers"],
        [(row["source"], [row["records"], row["customers"]]) for row in duplicates.records()],
    ),
)

# %% [markdown]
# ## Who is known to web and store?
#
# How many customers each two sources have in common; in the diagonal, how many each has.

# %%
page.ask("""
PIVOT (
  SELECT DISTINCT a.source AS known_to, b.source AS also_to, identity_id
  FROM identity_map a JOIN identity_map b USING (identity_id) JOIN profiles USING (identity_id) WHERE known)
ON also_to USING count(*) GROUP BY known_to ORDER BY known_to
""")

# %% [markdown]
# ## How many are active each month?
#
# Who only got a message was not active, so deliveries and bounces are left out. One who came by two channels is one
# active customer: the columns of the channels are of those who came by that one alone, and add up with `several`.

# %%
page.ask("""
CREATE VIEW active AS
SELECT DISTINCT identity_id, date_trunc('month', occurred_at)::DATE AS month, channel
FROM interactions JOIN identity_map USING (record_key) JOIN profiles USING (identity_id)
WHERE known AND type NOT IN ('delivered', 'bounce')
""")
monthly = page.ask("""
PIVOT (
  SELECT month, identity_id, if(count(*) > 1, 'several', any_value(channel)) AS came_by,
         count(*) OVER (PARTITION BY month) AS customers
  FROM active GROUP BY month, identity_id)
ON came_by USING count(*) GROUP BY month, customers ORDER BY month
""")

# %%
last = monthly.records()[-1]
channels = sorted(monthly.columns[2:], key=lambda name: name == "several")
page.draw(
    "monthly-active",
    charts.stacks(
        f"{last['customers']:,} customers were active in {last['month']:%B %Y}, "
        f"{percent(last.get('several', 0), last['customers'])} of them by several channels",
        "Customers who did something in a month, by the channel they came by; each is counted once a month.",
        "customers",
        [name if name == "several" else f"{name} only" for name in channels],
        [(f"{row['month']:%b %y}", [row[name] for name in channels]) for row in monthly.records()],
    ),
)

# %% [markdown]
# Where every event counts, also what was only sent, `profiles.months` has it without `interactions`, and without a
# join; here the last three months, by channel and in all:

# %%
page.ask("""
SELECT m.month, coalesce(m.channel, 'all') AS channel, count(DISTINCT identity_id) AS customers
FROM profiles, unnest(months) AS u(m)
WHERE known AND m.month > (SELECT max(last_seen)::DATE - INTERVAL 3 MONTH FROM profiles)
GROUP BY GROUPING SETS ((m.month, m.channel), (m.month)) ORDER BY m.month, channel
""")

# %% [markdown]
# It is the same by either way; in how many months and channels do the two differ?

# %%
page.ask("""
WITH by_months AS (
  SELECT identity_id, m.month, m.channel, m.events FROM profiles, unnest(months) AS u(m)),
by_interactions AS (
  SELECT identity_id, date_trunc('month', occurred_at)::DATE AS month, channel, count(*) AS events
  FROM interactions JOIN identity_map USING (record_key) GROUP BY ALL)
SELECT count(*) AS compared, count(*) FILTER (a.events IS DISTINCT FROM b.events) AS different
FROM by_months a FULL JOIN by_interactions b USING (identity_id, month, channel)
""")

# %% [markdown]
# ## Which customers are which? Segments by recency, frequency and value
#
# Recency is days since the last purchase, up to the latest event of all; frequency is purchases; value is what they
# paid less what they got back, ranked among those who pay in the same currency: money of several is never added up.

# %%
page.ask("""
CREATE VIEW segments AS
WITH spent AS (
  SELECT identity_id, p.currency, p.purchases AS frequency,
         (p.purchase_minor - p.return_minor) / 10 ** p.decimals AS value,
         date_diff('day', p.last_purchase, (SELECT max(last_seen) FROM profiles)) AS recency
  FROM profiles, unnest(purchases) AS u(p) WHERE known AND p.purchases > 0
  QUALIFY row_number() OVER (PARTITION BY identity_id ORDER BY p.purchases DESC, p.currency) = 1),
ranked AS (SELECT *, percent_rank() OVER (PARTITION BY currency ORDER BY value) AS value_rank FROM spent)
SELECT *, CASE
    WHEN recency <= 90 AND frequency >= 4 AND value_rank >= 0.8 THEN 'champions'
    WHEN recency <= 90 AND frequency >= 3 THEN 'loyal'
    WHEN recency <= 90 THEN 'recent'
    WHEN frequency >= 3 THEN 'at risk'
    ELSE 'gone quiet' END AS segment
FROM ranked
""")
segments = page.ask("""
SELECT segment, count(*) AS customers, median(recency)::INT AS days_since, round(avg(frequency), 1) AS purchases_each,
       round(100 * avg(value_rank))::INT AS value_percentile,
       round(100 * count(*) / sum(count(*)) OVER (), 1) AS percent_of_buyers,
       round(100 * sum(frequency) / sum(sum(frequency)) OVER (), 1) AS percent_of_purchases
FROM segments GROUP BY segment ORDER BY sum(frequency) DESC, segment
""")

# %%
top = max(segments.records(), key=lambda row: row["percent_of_purchases"] / row["percent_of_buyers"])
page.draw(
    "segments",
    charts.bars(
        f"{top['segment'].capitalize()}: {top['percent_of_buyers']:.0f} % of the buyers "
        f"made {top['percent_of_purchases']:.0f} % of the purchases",
        "Per cent of the customers who ever bought, and of their purchases, by segment.",
        ["of buyers", "of purchases"],
        [(r["segment"], [r["percent_of_buyers"], r["percent_of_purchases"]]) for r in segments.records()],
        "{} %".format,
    ),
)

# %% [markdown]
# ## Whom may we contact?
#
# `contact_email`, `contact_sms`, `contact_phone` and `contact_post` say `yes`, or the first reason why not
# ([consent.md](../docs/consent.md)). So each step of the funnel is those whom no earlier reason holds back; who was
# never asked did not agree.

# %%
funnel = page.ask("""
SELECT way, count(*) AS customers,
       count(*) FILTER (answer NOT IN ('no_address', 'invalid')) AS reachable,
       count(*) FILTER (answer NOT IN ('no_address', 'invalid', 'suppressed')) AS not_suppressed,
       count(*) FILTER (answer = 'yes') AS consented,
       count(*) FILTER (answer = 'withdrawn') AS withdrawn,
       count(*) FILTER (answer = 'no_consent') AS never_asked
FROM (SELECT unnest(['email', 'sms', 'phone', 'post']) AS way,
             unnest([contact_email, contact_sms, contact_phone, contact_post]) AS answer
      FROM profiles WHERE known)
GROUP BY way ORDER BY reachable DESC, way
""")

# %%
email = next(row for row in funnel.records() if row["way"] == "email")
steps = ["customers", "reachable", "not_suppressed", "consented"]
page.draw(
    "consent",
    charts.bars(
        f"{email['consented']:,} of {email['reachable']:,} customers with a mailbox may be mailed; "
        f"{percent(email['never_asked'], email['reachable'])} were never asked",
        "Customers who are left at each step towards marketing by e-mail.",
        ["customers"],
        [(step.replace("_", " "), [email[step]]) for step in steps],
        lambda n: f"{n:,} ({percent(n, email['customers'])})",
    ),
)

# %% [markdown]
# ## The audience of a campaign
#
# Who may be mailed, bought something within a year and looked at something, without those who complained within the
# last quarter of a year, by phone or of a message. `profiles_marketing` has only those who may be contacted, and only
# the addresses that may be used; `suppression` is asked once more, since another customer may have given the same
# mailbox. Where choosing by purchases counts as profiling, add `AND m.profiled`.

# %%
page.ask("""
WITH done AS (
  SELECT identity_id, i.*, (SELECT max(occurred_at) FROM interactions) - occurred_at AS ago
  FROM interactions i JOIN identity_map USING (record_key))
SELECT m.given_name, m.surname, m.profiled, count(*) FILTER (d.money_kind = 'purchase') AS bought,
       count(DISTINCT d.product) AS looked_at, mode(d.category ORDER BY d.category) AS most_of
FROM profiles_marketing m JOIN done d USING (identity_id)
WHERE m.contact_email = 'yes' AND d.ago < INTERVAL 365 DAY
  AND m.email NOT IN (SELECT address FROM suppression WHERE channel = 'email' AND address IS NOT NULL)
  AND m.identity_id NOT IN (
    SELECT identity_id FROM done WHERE 'complaint' IN (type, reason) AND ago < INTERVAL 90 DAY)
GROUP BY m.identity_id, m.given_name, m.surname, m.profiled HAVING bought > 0 AND looked_at > 0
ORDER BY bought DESC, looked_at DESC, surname, given_name LIMIT 8
""")

# %% [markdown]
# The demo's purchases name no products, only its visits do; where yours do, ask for them:
# `d.money_kind = 'purchase' AND d.product IN (…)`.
#
# ## Who stays? Retention by first month
#
# A cohort is those who were first active in a month; the columns say how many per cent of it were active again, so many
# months later. Empty: nobody, or not yet. The first cohorts are of the time when the data begins, and hold
# customers who were there before.

# %%
retention = page.ask("""
WITH seen AS (
  SELECT identity_id, month, min(month) OVER (PARTITION BY identity_id) AS cohort
  FROM (SELECT DISTINCT identity_id, month FROM active)),
kept AS (SELECT cohort, date_diff('month', cohort, month) AS later, count(*) AS customers FROM seen GROUP BY ALL)
PIVOT (
  SELECT cohort, a.customers, b.later, round(100 * b.customers / a.customers)::INT AS percent
  FROM kept a JOIN kept b USING (cohort) WHERE a.later = 0 AND b.later BETWEEN 1 AND 12)
ON later IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) USING any_value(percent)
GROUP BY cohort, customers ORDER BY cohort
""")

# %%
later = retention.columns[2:]
sizes = retention.column("customers")
middle = sorted(value for value in retention.column(later[0]) if value is not None)
page.draw(
    "retention",
    charts.heat(
        f"In the middle cohort, {middle[len(middle) // 2]} % are active again in the month after their first",
        "Per cent of those first active in a month who were active again, by months since. "
        "Beside the month: its customers.",
        "months since the first",
        later,
        [(f"{row[0]:%b %Y}", row[1], row[2:]) for row in retention.rows],
    ),
)
