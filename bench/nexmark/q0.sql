-- SPDX-License-Identifier: Apache-2.0
select auction, bidder, price, date_time, extra from bid
