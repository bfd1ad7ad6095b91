-- SPDX-License-Identifier: Apache-2.0
-- latest by: category
with winning as (
	select any_value(category) as category, max(price) as final
	from auction
	join bid on bid.auction = auction.id and bid.date_time between auction.date_time and expires
	group by auction.id
)
select category, avg(final) as average from winning group by category
