-- SPDX-License-Identifier: Apache-2.0
select auction, bidder, price * 0.908::double as price, date_time, extra from bid
