-- SPDX-License-Identifier: Apache-2.0
with winning as (
	select any_value(seller) as seller, auction.id, any_value(expires) as expires, max(price) as final
	from auction
	join bid on bid.auction = auction.id and bid.date_time between auction.date_time and expires
	group by auction.id
)
select seller, id, avg(final) over (partition by seller order by expires, id rows between 9 preceding and current row) as average
from winning
