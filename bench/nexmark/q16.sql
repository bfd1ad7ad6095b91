-- SPDX-License-Identifier: Apache-2.0
with levelled as (
	select channel, bidder, auction, make_timestamp(date_time) as moment,
		case when price < 10000 then 1 when price < 1000000 then 2 else 3 end as rank
	from bid
)
select channel, strftime(moment, '%Y-%m-%d') as day, max(strftime(moment, '%H:%M')) as minute,
	count(*) as total_bids,
	count(*) filter (rank = 1) as rank1_bids,
	count(*) filter (rank = 2) as rank2_bids,
	count(*) filter (rank = 3) as rank3_bids,
	count(distinct bidder) as total_bidders,
	count(distinct bidder) filter (rank = 1) as rank1_bidders,
	count(distinct bidder) filter (rank = 2) as rank2_bidders,
	count(distinct bidder) filter (rank = 3) as rank3_bidders,
	count(distinct auction) as total_auctions,
	count(distinct auction) filter (rank = 1) as rank1_auctions,
	count(distinct auction) filter (rank = 2) as rank2_auctions,
	count(distinct auction) filter (rank = 3) as rank3_auctions
from levelled
group by channel, day
