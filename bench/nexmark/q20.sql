-- SPDX-License-Identifier: Apache-2.0
select auction, bidder, price, channel, url, bid.date_time as bid_date_time, bid.extra as bid_extra, item_name, description,
	initial_bid, reserve, auction.date_time as auction_date_time, expires, seller, category, auction.extra as auction_extra
from bid
join auction on auction.id = bid.auction
where category = 10
