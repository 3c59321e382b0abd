# Sums what the suites say of themselves. A step that failed without a failed test (it did not compile, say) counts as one.

{ gsub(/\033\[[0-9;]*m/, "") }

# cargo test
/^test result: / { passed += $4; failed += $6; next }

# tests/c/run.sh
/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; next }

# pytest
/^(=+ )?[0-9]+ (passed|failed|errors?|skipped|deselected|warnings?)[ ,].*in [0-9.]+s/ {
  for (i = 2; i <= NF; i++) {
    if ($i ~ /^passed/) passed += $(i - 1)
    if ($i ~ /^failed/ || $i ~ /^errors?/) failed += $(i - 1)
  }
  next
}

# node --test
/^(#|ℹ) pass [0-9]+$/ { passed += $3 }
/^(#|ℹ) (fail|cancelled) [0-9]+$/ { failed += $3 }

END {
  if (failed + 0 == 0) failed = failed_steps
  printf "%d passed, %d failed\n", passed, failed
  exit failed > 0
}
