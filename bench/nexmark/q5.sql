-- SPDX-License-Identifier: Apache-2.0
-- A bid is in the windows that end in the 10 s after it.
with counted as (
	select auction, count(*) as num, make_timestamp((date_time // 2000000 + hop.nth) * 2000000) as window_end
	from bid
	cross join range(1, 6) as hop(nth)
	group by all
)
select auction, num, window_end from counted
qualify rank() over (partition by window_end order by num desc) = 1
