# Repeats what failed, so that the end of a long log tells it: the names of failed tests, and the steps that failed.

{ gsub(/\033\[[0-9;]*m/, "") }

/^test .* FAILED$/ || /^(FAILED|ERROR) / || /^not ok / || /^make: \*\*\* / || /^(error|warning)(\[|:)/ { if (++lines <= 100) print "    " $0 }
