-- SPDX-License-Identifier: Apache-2.0
with marked as (
	select bidder, date_time,
		coalesce(date_time - lag(date_time) over (partition by bidder order by date_time) > 10000000, true) as begins
	from bid
), numbered as (
	select bidder, date_time, sum(begins::int) over (partition by bidder order by date_time) as session from marked
)
select bidder, count(*) as bid_count, make_timestamp(min(date_time)) as window_start,
	make_timestamp(max(date_time) + 10000000) as window_end
from numbered
group by bidder, session
