-- SPDX-License-Identifier: Apache-2.0
select bidder, count(*) as bid_count, make_timestamp(date_time // 10000000 * 10000000) as window_start
from bid
group by all
