-- eigen.lua -- eigenvalues and eigenvectors of small symmetric matrices.
local eigen = {}

local SWEEPS = 60 -- it converges quadratically: six to ten do for 12 x 12
local TINY = 1e-30 -- of squares off the diagonal, by those on it

local function identity(n)
  local v = {}
  for i = 1, n do
    v[i] = {}
    for j = 1, n do v[i][j] = i == j and 1.0 or 0.0 end
  end
  return v
end

-- Sums of squares off and on the diagonal.
local function squares(a)
  local off, on = 0, 0
  for i = 1, #a do
    for j = 1, #a do
      if i == j then on = on + a[i][j] ^ 2 else off = off + a[i][j] ^ 2 end
    end
  end
  return off, on
end

-- Turns columns p and q of m by the angle of (c, s).
local function turn_columns(m, p, q, c, s)
  for i = 1, #m do
    local x, y = m[i][p], m[i][q]
    m[i][p], m[i][q] = c * x - s * y, s * x + c * y
  end
end

-- The rotation that makes a[p][q] zero (Golub and Van Loan, 8.5.2).
local function rotate(a, v, p, q)
  if a[p][q] == 0 then return end
  local tau = (a[q][q] - a[p][p]) / (2 * a[p][q])
  local t = (tau >= 0 and 1 or -1) / (math.abs(tau) + math.sqrt(1 + tau * tau))
  local c = 1 / math.sqrt(1 + t * t)
  local s = t * c
  turn_columns(a, p, q, c, s)
  for j = 1, #a do
    local x, y = a[p][j], a[q][j]
    a[p][j], a[q][j] = c * x - s * y, s * x + c * y
  end
  turn_columns(v, p, q, c, s)
end

--- The eigenpairs of a symmetric matrix (a table of rows; only read), by
--- Jacobi's rotations.
---@param matrix number[][]
---@return number[] values the largest first
---@return number[][] vectors vectors[k] belongs to values[k], of length 1
function eigen.symmetric(matrix)
  local n, a = #matrix, {}
  for i = 1, n do a[i] = {table.unpack(matrix[i])} end
  local v = identity(n)
  for _ = 1, SWEEPS do
    local off, on = squares(a)
    if off <= TINY * on then break end
    for p = 1, n - 1 do
      for q = p + 1, n do rotate(a, v, p, q) end
    end
  end
  local order = {}
  for k = 1, n do order[k] = k end
  table.sort(order, function(i, j) return a[i][i] > a[j][j] end)
  local values, vectors = {}, {}
  for k, column in ipairs(order) do
    values[k], vectors[k] = a[column][column], {}
    for i = 1, n do vectors[k][i] = v[i][column] end
  end
  return values, vectors
end

return eigen
