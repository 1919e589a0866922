-- Sets each KEYS[i] to ARGV[i + 2] when that row is newer than the one there; returns how many.
-- ARGV[1]: '1' to set whatever is there. ARGV[2]: expiry in milliseconds, '0' for none.
-- A row's bytes 1 to 18 are schema version u16, event i64, created i64, little endian. The 64-bit
-- times are compared as high and low halves, because a Lua number holds 53 bits.
local rewrite, expiry, written = ARGV[1] == '1', ARGV[2], 0

local function newer(new, old)
  local new_schema, new_el, new_eh, new_cl, new_ch = struct.unpack('<I2I4i4I4i4', new)
  local old_schema, old_el, old_eh, old_cl, old_ch = struct.unpack('<I2I4i4I4i4', old)
  if new_eh ~= old_eh then return new_eh > old_eh end
  if new_el ~= old_el then return new_el > old_el end
  if new_ch ~= old_ch then return new_ch > old_ch end
  if new_cl ~= old_cl then return new_cl > old_cl end
  return new_schema > old_schema
end

for i, key in ipairs(KEYS) do
  local row = ARGV[i + 2]
  local old = rewrite and '' or redis.call('GETRANGE', key, 1, 18)
  if #old < 18 or newer(string.sub(row, 2, 19), old) then
    if expiry == '0' then
      redis.call('SET', key, row)
    else
      redis.call('SET', key, row, 'PX', expiry)
    end
    written = written + 1
  end
end
return written
