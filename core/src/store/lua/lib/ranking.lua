-- Scores of `load`: the number of jobs of the member, then its credit (more credit first), then whether it has tasks or guaranteed slots. A member
-- is in `load` while it has credit. The credit is the number of jobs it requested, at most 20,000.
local ranking = {}
local ACTIVE, MAX_CREDIT = 65536, 32767

function ranking.score(active, credit, own)
  return active * ACTIVE + (MAX_CREDIT - credit) * 2 + (own and 1 or 0)
end

function ranking.credit(score)
  return MAX_CREDIT - math.floor(score % ACTIVE / 2)
end

function ranking.active(score)
  return math.floor(score / ACTIVE)
end

-- Whether the member accepts any job without a task.
function ranking.is_plain(score)
  return score % 2 == 0
end

return ranking
