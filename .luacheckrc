-- Scripts run in Redis: Lua 5.1 and what Redis adds. The bundler (core/src/store/bundle.rs) defines the rest.
std = "lua51"
max_line_length = 160
read_globals = {
  "KEYS", "ARGV", "redis", "cmsgpack", "struct", "lazy", "COMMAND", "BATCH", "READ_ONLY",
  bit = { fields = { "band", "bor" } },
}
