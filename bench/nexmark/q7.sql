-- SPDX-License-Identifier: Apache-2.0
select auction, bidder, price, date_time, extra, make_timestamp((date_time // 10000000 + 1) * 10000000) as window_end
from bid
qualify rank() over (partition by window_end order by price desc) = 1
