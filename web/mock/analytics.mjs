/** Usage, performance and costs of calls, as the server's analytics answer them. */

const lengths = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

function quantile(sorted, q) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : 0
}

function sums(calls) {
  const add = (key) => calls.reduce((sum, call) => sum + call[key], 0)
  const latencies = calls.map((call) => call.latency_ms).sort((a, b) => a - b)
  return {
    calls: calls.length,
    errors: calls.filter((call) => call.status === 'error').length,
    inputTokens: add('input_tokens'),
    outputTokens: add('output_tokens'),
    totalTokens: add('total_tokens'),
    costUsd: add('cost_usd'),
    avgLatencyMs: calls.length ? add('latency_ms') / calls.length : 0,
    p50LatencyMs: quantile(latencies, 0.5),
    p95LatencyMs: quantile(latencies, 0.95),
    p99LatencyMs: quantile(latencies, 0.99),
  }
}

function groups(calls, keyOf) {
  const map = new Map()
  for (const call of calls) {
    const key = keyOf(call)
    if (!map.has(key)) map.set(key, [])
    map.get(key).push(call)
  }
  return [...map]
}

export function analytics(world, report, query) {
  const start = Date.parse(query.get('startDate') ?? '') || Date.now() - lengths.day
  const end = Date.parse(query.get('endDate') ?? '') || Date.now()
  const model = query.get('model')
  const length = lengths[query.get('interval')] ?? lengths.hour
  const calls = world.calls.filter((call) => {
    const time = Date.parse(call.timestamp)
    return time >= start && time < end && (!model || call.model === model)
  })
  const all = sums(calls)
  const split = (list) => (query.get('groupBy') === 'model' ? groups(list, (call) => call.model) : [[undefined, list]])
  const series = groups(calls, (call) => Math.floor(Date.parse(call.timestamp) / length) * length)
    .sort((a, b) => a[0] - b[0])
    .flatMap(([time, list]) => split(list).map(([model, part]) => ({ timestamp: new Date(time).toISOString(), model, ...sums(part) })))
  const byModel = groups(calls, (call) => call.model).map(([key, list]) => ({ model: key, ...sums(list) }))
  const period = { periodStart: new Date(start).toISOString(), periodEnd: new Date(end).toISOString(), series }
  if (report === 'usage') {
    return { ...period, totalCalls: all.calls, inputTokens: all.inputTokens, outputTokens: all.outputTokens, totalTokens: all.totalTokens, uniqueUsers: new Set(calls.map((c) => c.user)).size, byModel, byApp: [] }
  }
  if (report === 'costs') return { ...period, totalUsd: all.costUsd, byModel, byApp: [], byAgent: [], byUser: [] }
  const errorRate = all.calls ? all.errors / all.calls : 0
  return { ...period, ...all, errorRate, successRate: 1 - errorRate, throughputPerMinute: (all.calls / (end - start)) * 60_000 }
}

export function budgetUsage(world, budget, groupBy) {
  const start = Date.parse(budget.periodStart)
  const calls = world.calls.filter((call) => Date.parse(call.timestamp) >= start && (budget.scopeType !== 'model' || call.model === budget.scopeId))
  const keyOf = { day: (c) => c.timestamp.slice(0, 10), agent: (c) => c.agent_id ?? '' }[groupBy] ?? ((c) => c.model)
  const breakdown = groups(calls, keyOf)
    .map(([key, list]) => ({ key, ...sums(list) }))
    .map(({ key, costUsd, totalTokens, calls: number }) => ({ key, costUsd, tokens: totalTokens, calls: number }))
    .sort((a, b) => b.costUsd - a.costUsd)
  return {
    budgetId: budget.id, spentUsd: budget.spentUsd, limitUsd: budget.limitUsd, percentUsed: (budget.spentUsd / budget.limitUsd) * 100,
    tokens: breakdown.reduce((sum, row) => sum + row.tokens, 0), periodStart: budget.periodStart, periodEnd: budget.periodEnd, breakdown,
  }
}
