"""Ticks of cron expressions, each worked out by hand from the rules of semantics §5 and the zones' published
transitions. A row: expression | zone | after (UTC) | the next ticks (UTC; the year of `after` unless it says another).
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from nbflow.model import Schedule
from nbflow.schedule import check_cron, previous, ticks

CALENDAR = """
# Steps, lists, ranges; the bounds of a day
* * * * *            | UTC | 2026-01-01T00:00 | 01-01T00:01 01-01T00:02
*/15 * * * *         | UTC | 2026-01-01T00:01 | 01-01T00:15 01-01T00:30 01-01T00:45 01-01T01:00
5/20 * * * *         | UTC | 2026-01-01T00:00 | 01-01T00:05 01-01T00:25 01-01T00:45 01-01T01:05
0-10/5 3 * * *       | UTC | 2026-01-01T00:00 | 01-01T03:00 01-01T03:05 01-01T03:10 01-02T03:00
0,30 8 * * *         | UTC | 2026-01-01T00:00 | 01-01T08:00 01-01T08:30 01-02T08:00
0 */7 * * *          | UTC | 2026-01-01T00:00 | 01-01T07:00 01-01T14:00 01-01T21:00 01-02T00:00
0 9-17/4 * * *       | UTC | 2026-01-01T00:00 | 01-01T09:00 01-01T13:00 01-01T17:00 01-02T09:00
0 22-2 * * *         | UTC | 2026-01-01T00:00 | 01-01T01:00 01-01T02:00 01-01T22:00 01-01T23:00 01-02T00:00
59 23 31 12 *        | UTC | 2026-01-01T00:00 | 12-31T23:59 2027-12-31T23:59
# Months and days that are not always there
0 0 * * *            | UTC | 2026-02-28T00:00 | 03-01T00:00 03-02T00:00
0 0 * * *            | UTC | 2024-02-28T12:00 | 02-29T00:00 03-01T00:00
0 0 29 2 *           | UTC | 2026-01-01T00:00 | 2028-02-29T00:00 2032-02-29T00:00
0 0 29 2 *           | UTC | 2096-03-01T00:00 | 2104-02-29T00:00 2108-02-29T00:00
0 0 31 * *           | UTC | 2026-01-31T00:00 | 03-31T00:00 05-31T00:00 07-31T00:00 08-31T00:00 10-31T00:00
0 0 30 * *           | UTC | 2026-01-30T00:00 | 03-30T00:00 04-30T00:00
0 0 */10 * *         | UTC | 2026-02-01T00:00 | 02-11T00:00 02-21T00:00 03-01T00:00 03-11T00:00 03-21T00:00 03-31T00:00
0 0 1 */3 *          | UTC | 2026-01-01T00:00 | 04-01T00:00 07-01T00:00 10-01T00:00 2027-01-01T00:00
0 0 1 jan,jul *      | UTC | 2026-01-01T00:00 | 07-01T00:00 2027-01-01T00:00
0 0 1 nov-feb *      | UTC | 2026-01-01T00:00 | 02-01T00:00 11-01T00:00 12-01T00:00 2027-01-01T00:00
# The last day, the nearest weekday
0 0 L * *            | UTC | 2026-01-31T12:00 | 02-28T00:00 03-31T00:00 04-30T00:00
0 0 L 2 *            | UTC | 2026-03-01T00:00 | 2027-02-28T00:00 2028-02-29T00:00
0 0 L,15 * *         | UTC | 2026-02-01T00:00 | 02-15T00:00 02-28T00:00 03-15T00:00 03-31T00:00
0 0 15W * *          | UTC | 2026-01-01T00:00 | 01-15T00:00 02-16T00:00 03-16T00:00 04-15T00:00
# Days of the week; 2026 begins on a Thursday
0 0 * * sun          | UTC | 2026-01-01T00:00 | 01-04T00:00 01-11T00:00
0 0 * * 0            | UTC | 2026-01-01T00:00 | 01-04T00:00 01-11T00:00
0 0 * * 7            | UTC | 2026-01-01T00:00 | 01-04T00:00 01-11T00:00
0 0 * * mon-fri      | UTC | 2026-01-02T00:00 | 01-05T00:00 01-06T00:00
0 0 * * fri-mon      | UTC | 2026-01-01T00:00 | 01-02T00:00 01-03T00:00 01-04T00:00 01-05T00:00 01-09T00:00
0 12 * * 1-5/2       | UTC | 2026-01-01T00:00 | 01-02T12:00 01-05T12:00 01-07T12:00
0 0 * JAN MON        | UTC | 2026-01-19T00:00 | 01-26T00:00 2027-01-04T00:00
0 0 * * L5           | UTC | 2026-01-01T00:00 | 01-30T00:00 02-27T00:00 03-27T00:00 04-24T00:00
0 0 * * L0           | UTC | 2026-03-01T00:00 | 03-29T00:00 04-26T00:00 05-31T00:00
0 0 * * 5#3          | UTC | 2026-01-01T00:00 | 01-16T00:00 02-20T00:00 03-20T00:00 04-17T00:00
0 0 * * fri#3        | UTC | 2026-03-20T00:00 | 04-17T00:00 05-15T00:00
0 0 * * 1#1,1#3      | UTC | 2026-03-01T00:00 | 03-02T00:00 03-16T00:00 04-06T00:00 04-20T00:00
0 0 * * 1#5          | UTC | 2026-03-01T00:00 | 03-30T00:00 06-29T00:00 08-31T00:00
0 0 * 2 5#5          | UTC | 2026-01-01T00:00 | 2036-02-29T00:00 2064-02-29T00:00
# Day of month and day of week both given: either matches
30 4 1,15 * 5        | UTC | 2026-01-01T00:00 | 01-01T04:30 01-02T04:30 01-09T04:30 01-15T04:30 01-16T04:30
0 0 13 * 5           | UTC | 2026-02-01T00:00 | 02-06T00:00 02-13T00:00 02-20T00:00 02-27T00:00 03-06T00:00 03-13T00:00
0 0 */2 * 1          | UTC | 2026-01-01T00:00 | 01-03T00:00 01-05T00:00 01-07T00:00 01-09T00:00 01-11T00:00 01-12T00:00
0 0 15 * 5#3         | UTC | 2026-01-01T00:00 | 01-15T00:00 01-16T00:00 02-15T00:00 02-20T00:00
0 0 1 * 5#3          | UTC | 2026-01-01T00:00 | 01-16T00:00 02-01T00:00 02-20T00:00 03-01T00:00
0 0 L * 1#1          | UTC | 2026-01-05T00:00 | 01-31T00:00 02-02T00:00 02-28T00:00 03-02T00:00 03-31T00:00
0 0 10 * L5          | UTC | 2026-01-01T00:00 | 01-10T00:00 01-30T00:00 02-10T00:00 02-27T00:00
0 0 15W * 3          | UTC | 2026-02-08T00:00 | 02-11T00:00 02-16T00:00 02-18T00:00 02-25T00:00
0 0 30 2 5           | UTC | 2026-02-13T00:00 | 02-20T00:00 02-27T00:00 2027-02-05T00:00
0 0 ? * 1            | UTC | 2026-01-01T00:00 | 01-05T00:00 01-12T00:00
0 0 1 * ?            | UTC | 2026-01-01T00:00 | 02-01T00:00 03-01T00:00
# Six fields: seconds last
0 0 * * * 30         | UTC | 2026-01-01T00:00 | 01-01T00:00:30 01-02T00:00:30
* * * * * */20       | UTC | 2026-01-01T00:00 | 01-01T00:00:20 01-01T00:00:40 01-01T00:01
30 6 * * * 15,45     | UTC | 2026-01-01T00:00 | 01-01T06:30:15 01-01T06:30:45 01-02T06:30:15
*/30 * * * * 5       | UTC | 2026-01-01T00:00 | 01-01T00:00:05 01-01T00:30:05
0 0 29 2 * 1         | UTC | 2026-01-01T00:00 | 2028-02-29T00:00:01
# Shorthands
@hourly              | UTC | 2026-01-01T00:30 | 01-01T01:00 01-01T02:00
@daily               | UTC | 2026-01-01T00:00 | 01-02T00:00 01-03T00:00
@midnight            | UTC | 2026-01-01T00:00 | 01-02T00:00 01-03T00:00
@weekly              | UTC | 2026-01-01T00:00 | 01-04T00:00 01-11T00:00
@monthly             | UTC | 2026-01-01T00:00 | 02-01T00:00 03-01T00:00
@yearly              | UTC | 2026-01-01T00:00 | 2027-01-01T00:00 2028-01-01T00:00
@Annually            | UTC | 2026-01-01T00:00 | 2027-01-01T00:00
"""

ZONES = """
# Los Angeles: 8 March 2026 10:00Z, 02:00 → 03:00
0 2 * * *      | America/Los_Angeles | 2026-03-07T00:00 | 03-07T10:00 03-08T10:00 03-09T09:00
30 2 * * *     | America/Los_Angeles | 2026-03-07T12:00 | 03-08T10:00 03-09T09:30
59 1 * * *     | America/Los_Angeles | 2026-03-07T12:00 | 03-08T09:59 03-09T08:59
0 3 * * *      | America/Los_Angeles | 2026-03-07T12:00 | 03-08T10:00 03-09T10:00
0 0 * * *      | America/Los_Angeles | 2026-03-07T12:00 | 03-08T08:00 03-09T07:00
*/15 2 * * *   | America/Los_Angeles | 2026-03-07T12:00 | 03-08T10:00 03-09T09:00 03-09T09:15 03-09T09:30
0 2,3 * * *    | America/Los_Angeles | 2026-03-07T12:00 | 03-08T10:00 03-09T09:00 03-09T10:00
0 1-3 * * *    | America/Los_Angeles | 2026-03-08T00:00 | 03-08T09:00 03-08T10:00 03-09T08:00
0 * * * *      | America/Los_Angeles | 2026-03-08T08:30 | 03-08T09:00 03-08T10:00 03-08T11:00
30 * * * *     | America/Los_Angeles | 2026-03-08T08:45 | 03-08T09:30 03-08T10:30 03-08T11:30
0 */1 * * *    | America/Los_Angeles | 2026-03-08T08:30 | 03-08T09:00 03-08T10:00 03-08T11:00
30 */1 * * *   | America/Los_Angeles | 2026-03-08T08:45 | 03-08T09:30 03-08T10:00 03-08T10:30 03-08T11:30
0 2 8 3 *      | America/Los_Angeles | 2026-01-01T00:00 | 03-08T10:00 2027-03-08T10:00
30 2 * * 0#2   | America/Los_Angeles | 2026-03-01T00:00 | 03-08T10:00 04-12T09:30
15 2 * * * 30  | America/Los_Angeles | 2026-03-07T12:00 | 03-08T10:00 03-09T09:15:30
* 2 * * * *    | America/Los_Angeles | 2026-03-08T09:59:59 | 03-08T10:00 03-09T09:00 03-09T09:00:01
@hourly        | America/Los_Angeles | 2026-03-08T09:00 | 03-08T10:00 03-08T11:00
@daily         | America/Los_Angeles | 2026-03-08T08:00 | 03-09T07:00
# … and 1 November 2026 09:00Z, 02:00 → 01:00
30 1 * * *     | America/Los_Angeles | 2026-10-31T12:00 | 11-01T08:30 11-02T09:30
0 1 * * *      | America/Los_Angeles | 2026-11-01T00:00 | 11-01T08:00 11-02T09:00
0 2 * * *      | America/Los_Angeles | 2026-11-01T00:00 | 11-01T10:00 11-02T10:00
*/30 1 * * *   | America/Los_Angeles | 2026-11-01T00:00 | 11-01T08:00 11-01T08:30 11-02T09:00
0 * * * *      | America/Los_Angeles | 2026-11-01T07:30 | 11-01T08:00 11-01T09:00 11-01T10:00
30 * * * *     | America/Los_Angeles | 2026-11-01T08:00 | 11-01T08:30 11-01T09:30 11-01T10:30
0 */1 * * *    | America/Los_Angeles | 2026-11-01T07:30 | 11-01T08:00 11-01T10:00 11-01T11:00
0 0-23 * * *   | America/Los_Angeles | 2026-11-01T07:30 | 11-01T08:00 11-01T10:00 11-01T11:00
30 1 * * *     | America/Los_Angeles | 2026-11-01T08:45 | 11-02T09:30
45 1 * * *     | America/Los_Angeles | 2026-11-01T09:30 | 11-02T09:45
* 1 * * *      | America/Los_Angeles | 2026-11-01T08:58 | 11-01T08:59 11-02T09:00
30 1 * * 0     | America/Los_Angeles | 2026-10-26T00:00 | 11-01T08:30 11-08T09:30
# New York: 8 March 07:00Z, 1 November 06:00Z
30 2 * * *     | America/New_York    | 2026-03-07T12:00 | 03-08T07:00 03-09T06:30
30 1 * * *     | America/New_York    | 2026-10-31T12:00 | 11-01T05:30 11-02T06:30
0 9 * * 1-5    | America/New_York    | 2026-03-06T12:00 | 03-06T14:00 03-09T13:00
# St. John's, UTC-3:30: 8 March 2026 05:30Z, 1 November 2026 04:30Z;
# in 2010 the clocks there changed at 00:01, to 23:01 (7 November 02:31Z)
30 2 * * *     | America/St_Johns    | 2026-03-07T12:00 | 03-08T05:30 03-09T05:00
30 1 * * *     | America/St_Johns    | 2026-10-31T12:00 | 11-01T04:00 11-02T05:00
30 23 * * *    | America/St_Johns    | 2010-11-06T12:00 | 11-07T02:00 11-08T03:00
0 0 * * *      | America/St_Johns    | 2010-11-06T12:00 | 11-07T02:30 11-08T03:30
30 * * * *     | America/St_Johns    | 2010-11-07T01:30 | 11-07T02:00 11-07T03:00 11-07T04:00
0 * * * *      | America/St_Johns    | 2010-11-07T02:00 | 11-07T02:30 11-07T03:30 11-07T04:30
# Europe: 29 March and 25 October 2026, 01:00Z
30 2 * * *     | Europe/Berlin       | 2026-03-28T12:00 | 03-29T01:00 03-30T00:30
0 3 * * *      | Europe/Berlin       | 2026-03-28T12:00 | 03-29T01:00 03-30T01:00
30 2 * * *     | Europe/Berlin       | 2026-10-24T12:00 | 10-25T00:30 10-26T01:30
0 3 * * *      | Europe/Berlin       | 2026-10-24T12:00 | 10-25T02:00 10-26T02:00
*/30 * * * *   | Europe/Berlin       | 2026-10-25T00:15 | 10-25T00:30 10-25T01:00 10-25T01:30 10-25T02:00
0 0 L * *      | Europe/Berlin       | 2026-02-01T00:00 | 02-27T23:00 03-30T22:00 04-29T22:00
30 1 * * *     | Europe/London       | 2026-03-28T12:00 | 03-29T01:00 03-30T00:30
30 1 * * *     | Europe/London       | 2026-10-24T12:00 | 10-25T00:30 10-26T01:30
30 1 * * *     | Europe/Dublin       | 2026-10-24T12:00 | 10-25T00:30 10-26T01:30
# Nuuk: the same instants, but 23:00 → 00:00 and 00:00 → 23:00
30 23 * * *    | America/Nuuk        | 2026-03-27T12:00 | 03-28T01:30 03-29T01:00 03-30T00:30
0 0 * * *      | America/Nuuk        | 2026-03-28T12:00 | 03-29T01:00 03-30T01:00
0,30 0,23 * * * | America/Nuuk       | 2026-03-28T12:00 | 03-29T01:00 03-29T01:30 03-30T00:00 03-30T00:30
30 23 * * *    | America/Nuuk        | 2026-10-23T12:00 | 10-24T00:30 10-25T00:30 10-26T01:30
0 0 * * *      | America/Nuuk        | 2026-10-24T12:00 | 10-25T02:00 10-26T02:00
0 * * * *      | America/Nuuk        | 2026-10-25T00:30 | 10-25T01:00 10-25T02:00
# Cairo: 25 April 2025 00:00 → 01:00 (24 April 22:00Z), 31 October 2025 00:00 → 23:00 (30 October 21:00Z)
0 0 * * *      | Africa/Cairo        | 2025-04-23T12:00 | 04-23T22:00 04-24T22:00 04-25T21:00
30 0 * * *     | Africa/Cairo        | 2025-04-23T12:00 | 04-23T22:30 04-24T22:00 04-25T21:30
30 23 * * *    | Africa/Cairo        | 2025-10-29T12:00 | 10-29T20:30 10-30T20:30 10-31T21:30
0 0 * * *      | Africa/Cairo        | 2025-10-30T12:00 | 10-30T22:00 10-31T22:00
30 * * * *     | Africa/Cairo        | 2025-10-30T20:00 | 10-30T20:30 10-30T21:30 10-30T22:30
# Other clocks that change at midnight. Beirut: 29 March 2025 22:00Z; Havana: 9 March and 2 November 2025, 05:00Z;
# Santiago: 6 April 03:00Z and 7 September 2025 04:00Z; São Paulo: 4 November 2018 03:00Z and 17 February 2019 02:00Z
0 0 * * *      | Asia/Beirut         | 2025-03-28T12:00 | 03-28T22:00 03-29T22:00 03-30T21:00
15 0 * * *     | America/Havana      | 2025-03-08T12:00 | 03-09T05:00 03-10T04:15
30 0 * * *     | America/Havana      | 2025-11-01T12:00 | 11-02T04:30 11-03T05:30
0 0 * * *      | America/Havana      | 2025-11-01T12:00 | 11-02T04:00 11-03T05:00
0 0 * * *      | America/Santiago    | 2025-09-05T12:00 | 09-06T04:00 09-07T04:00 09-08T03:00
30 23 * * *    | America/Santiago    | 2025-04-04T12:00 | 04-05T02:30 04-06T02:30 04-07T03:30
0 0 * * *      | America/Sao_Paulo   | 2018-11-02T12:00 | 11-03T03:00 11-04T03:00 11-05T02:00
30 23 * * *    | America/Sao_Paulo   | 2019-02-15T12:00 | 02-16T01:30 02-17T01:30 02-18T02:30
# Sydney: 4 April 16:00Z (03:00 → 02:00), 3 October 2026 16:00Z (02:00 → 03:00)
30 2 * * *     | Australia/Sydney    | 2026-10-02T20:00 | 10-03T16:00 10-04T15:30
30 2 * * *     | Australia/Sydney    | 2026-04-03T20:00 | 04-04T15:30 04-05T16:30
0 * * * *      | Australia/Sydney    | 2026-04-04T14:30 | 04-04T15:00 04-04T16:00 04-04T17:00
# Lord Howe, half an hour: 4 April 15:00Z (02:00 → 01:30), 3 October 2026 15:30Z (02:00 → 02:30)
30 1 * * *     | Australia/Lord_Howe | 2026-04-03T20:00 | 04-04T14:30 04-05T15:00
45 1 * * *     | Australia/Lord_Howe | 2026-04-03T20:00 | 04-04T14:45 04-05T15:15
45 * * * *     | Australia/Lord_Howe | 2026-04-04T14:00 | 04-04T14:45 04-04T15:15 04-04T16:15
0 * * * *      | Australia/Lord_Howe | 2026-04-04T13:30 | 04-04T14:00 04-04T15:30 04-04T16:30
15 2 * * *     | Australia/Lord_Howe | 2026-10-02T20:00 | 10-03T15:30 10-04T15:15
30 2 * * *     | Australia/Lord_Howe | 2026-10-02T20:00 | 10-03T15:30 10-04T15:30
*/15 2 * * *   | Australia/Lord_Howe | 2026-10-03T00:00 | 10-03T15:30 10-03T15:45 10-04T15:00
0 * * * *      | Australia/Lord_Howe | 2026-10-03T14:00 | 10-03T14:30 10-03T16:00 10-03T17:00
# New Zealand: 4 April 14:00Z, 26 September 2026 14:00Z; Chatham, UTC+12:45, 03:45 → 02:45 and 02:45 → 03:45
30 2 * * *     | Pacific/Auckland    | 2026-09-25T20:00 | 09-26T14:00 09-27T13:30
0 3 * * *      | Pacific/Chatham     | 2026-09-25T20:00 | 09-26T14:00 09-27T13:15
50 2 * * *     | Pacific/Chatham     | 2026-09-25T20:00 | 09-26T14:00 09-27T13:05
40 2 * * *     | Pacific/Chatham     | 2026-09-25T20:00 | 09-26T13:55 09-27T12:55
0 * * * *      | Pacific/Chatham     | 2026-09-26T13:00 | 09-26T13:15 09-26T14:15 09-26T15:15
0 3 * * *      | Pacific/Chatham     | 2026-04-03T20:00 | 04-04T13:15 04-05T14:15
0 * * * *      | Pacific/Chatham     | 2026-04-04T12:30 | 04-04T13:15 04-04T14:15 04-04T15:15
# Offsets that are no whole hours, without daylight saving: +5:45, +5:30, +8:45
0 6 * * *      | Asia/Kathmandu      | 2026-01-01T00:00 | 01-01T00:15 01-02T00:15
0 * * * *      | Asia/Kathmandu      | 2026-01-01T00:00 | 01-01T00:15 01-01T01:15
0 0 1 * *      | Asia/Kathmandu      | 2026-01-01T00:00 | 01-31T18:15 02-28T18:15
30 5 * * *     | Asia/Kolkata        | 2026-01-01T00:00 | 01-02T00:00 01-03T00:00
0 9 * * *      | Australia/Eucla     | 2026-01-01T00:00 | 01-01T00:15 01-02T00:15
0 9 * * 1-5    | Asia/Tokyo          | 2026-01-01T00:00 | 01-02T00:00 01-05T00:00
0 0 1 1 *      | Pacific/Kiritimati  | 2026-01-01T00:00 | 12-31T10:00
# Troll: two hours; 29 March 2026 01:00Z (01:00 → 03:00), 25 October 2026 01:00Z (03:00 → 01:00)
30 1 * * *     | Antarctica/Troll    | 2026-03-28T12:00 | 03-29T01:00 03-29T23:30
30 2 * * *     | Antarctica/Troll    | 2026-03-28T12:00 | 03-29T01:00 03-30T00:30
0 1,2 * * *    | Antarctica/Troll    | 2026-03-28T12:00 | 03-29T01:00 03-29T23:00 03-30T00:00
30 2 * * *     | Antarctica/Troll    | 2026-10-24T12:00 | 10-25T00:30 10-26T02:30
0 * * * *      | Antarctica/Troll    | 2026-10-24T23:30 | 10-25T00:00 10-25T01:00 10-25T02:00 10-25T03:00
# Casablanca, Ramadan 2024: 10 March 02:00Z (03:00 → 02:00), 14 April 02:00Z (02:00 → 03:00)
30 2 * * *     | Africa/Casablanca   | 2024-03-09T12:00 | 03-10T01:30 03-11T02:30
30 2 * * *     | Africa/Casablanca   | 2024-04-13T12:00 | 04-14T02:00 04-15T01:30
# Zones that changed their standard time. Apia left out 30 December 2011 (10:00Z);
# Almaty: 29 February 2024 18:00Z (00:00 → 23:00);
# Pyongyang: 4 May 2018 15:00Z (23:30 → 00:00); Caracas: 1 May 2016 07:00Z (02:30 → 03:00);
# Volgograd: 26 December 2020 22:00Z (02:00 → 01:00); Juba: 31 January 2021 21:00Z (00:00 → 23:00)
0 12 * * *     | Pacific/Apia        | 2011-12-29T00:00 | 12-29T22:00 12-30T10:00 12-30T22:00
0 * * * *      | Pacific/Apia        | 2011-12-30T08:30 | 12-30T09:00 12-30T10:00 12-30T11:00
30 23 * * *    | Asia/Almaty         | 2024-02-28T20:00 | 02-29T17:30 03-01T18:30
30 * * * *     | Asia/Almaty         | 2024-02-29T17:00 | 02-29T17:30 02-29T18:30 02-29T19:30
0 0 29 2 *     | Asia/Almaty         | 2024-01-01T00:00 | 02-28T18:00 2028-02-28T19:00
0 * 29 2 *     | Asia/Almaty         | 2024-02-29T16:30 | 02-29T17:00 02-29T18:00 2028-02-28T19:00
45 23 * * *    | Asia/Pyongyang      | 2018-05-03T20:00 | 05-04T15:00 05-05T14:45
0 0 * * *      | Asia/Pyongyang      | 2018-05-03T20:00 | 05-04T15:00 05-05T15:00
45 2 * * *     | America/Caracas     | 2016-04-30T12:00 | 05-01T07:00 05-02T06:45
30 1 * * *     | Europe/Volgograd    | 2020-12-26T00:00 | 12-26T21:30 12-27T22:30
0 0 1 * *      | Africa/Juba         | 2021-01-15T00:00 | 01-31T22:00 02-28T22:00
30 23 L * *    | Africa/Juba         | 2021-01-15T00:00 | 01-31T20:30 02-28T21:30
"""


def rows(*tables: str) -> list[tuple[str, str, str, str]]:
    lines = [line for table in tables for line in table.splitlines() if line and not line.startswith("# ")]
    return [tuple(part.strip() for part in line.split("|")) for line in lines]  # type: ignore[misc]


def at(text: str, year: str = "") -> datetime:
    return datetime.fromisoformat(text if text.count("-") == 2 else f"{year}-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(("cron", "zone", "after", "expected"), rows(CALENDAR, ZONES))
def test_next_ticks(cron: str, zone: str, after: str, expected: str) -> None:
    schedule = Schedule(cron=cron, timezone=zone)
    wanted = [at(each, after[:4]) for each in expected.split()]
    assert [tick.instant for tick in islice(ticks(schedule, at(after)), len(wanted))] == wanted
    # The same ticks, seen from behind.
    back = [wanted[-1]]
    while len(back) < len(wanted):
        tick = previous(schedule, back[0] - datetime.resolution)
        assert tick is not None
        back.insert(0, tick.instant)
    assert back == wanted


def test_the_table_is_large_enough_to_mean_something() -> None:
    table = rows(CALENDAR, ZONES)
    assert len(table) >= 120
    assert len({zone for _, zone, _, _ in table}) >= 20


@pytest.mark.parametrize("cron", sorted({cron for cron, *_ in rows(CALENDAR, ZONES)}))
def test_every_expression_of_the_table_is_accepted(cron: str) -> None:
    assert check_cron(cron) is None
