-- Orders a worker to have another number of slots, or to pause or resume: changes its registration, and posts the order to its inbox.
-- KEYS  the fixed keys
-- ARGV  incarnation, 'slots' or 'paused', the number of slots; 1 to pause or 0 to resume, a nonce
-- Returns  1 | 0 if there is no such worker | 0 - the fewest slots that it can have, because it guarantees so many
local orders = require('orders')
local reply = require('reply')

return reply(orders.give(ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]))
