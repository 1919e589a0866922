-- Sets each KEYS[i] to ARGV[i + 2] when that row is newer than the one there; returns how many.
-- ARGV[1]: '1' to set whatever is there. ARGV[2]: expiry in milliseconds, '0' for none.
-- A row starts with its layout u8, schema version u16, event i64 and, in layout 1 only, created
-- i64, little endian; in layout 2 a row was created at its event time. The 64-bit times are
-- compared as high and low halves, because a Lua number holds 53 bits.
local rewrite, expiry, written = ARGV[1] == '1', ARGV[2], 0

-- Schema version, then the halves of event and created time; nil when that is no row's header.
local function header(row)
  local layout = string.byte(row, 1)
  if layout == 1 and #row >= 19 then
    return struct.unpack('<I2I4i4I4i4', row, 2)
  elseif layout == 2 and #row >= 11 then
    local schema, low, high = struct.unpack('<I2I4i4', row, 2)
    return schema, low, high, low, high
  end
end

local function newer(new, old)
  local old_schema, old_el, old_eh, old_cl, old_ch = header(old)
  if not old_schema then return true end
  local new_schema, new_el, new_eh, new_cl, new_ch = header(new)
  if new_eh ~= old_eh then return new_eh > old_eh end
  if new_el ~= old_el then return new_el > old_el end
  if new_ch ~= old_ch then return new_ch > old_ch end
  if new_cl ~= old_cl then return new_cl > old_cl end
  return new_schema > old_schema
end

for i, key in ipairs(KEYS) do
  local row = ARGV[i + 2]
  if rewrite or newer(row, redis.call('GETRANGE', key, 0, 18)) then
    if expiry == '0' then
      redis.call('SET', key, row)
    else
      redis.call('SET', key, row, 'PX', expiry)
    end
    written = written + 1
  end
end
return written
