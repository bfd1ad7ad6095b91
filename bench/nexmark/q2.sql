-- SPDX-License-Identifier: Apache-2.0
select auction, price from bid where auction % 123 = 0
