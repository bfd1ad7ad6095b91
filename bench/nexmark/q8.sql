-- SPDX-License-Identifier: Apache-2.0
select id, name, make_timestamp(date_time // 10000000 * 10000000) as window_start from person
where exists (from auction where seller = person.id and auction.date_time // 10000000 = person.date_time // 10000000)
