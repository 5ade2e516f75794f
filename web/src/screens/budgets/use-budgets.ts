import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useApi } from '@/lib/api/context'
import type { Budget, BudgetUsage } from '@/lib/api/types'

/** What a person fills in. Where a budget applies is fixed once it exists. */
export interface BudgetDraft {
  name: string
  scopeType: Budget['scopeType']
  scopeId: string
  limitUsd: number
  limitTokens: number | null
  period: Budget['period']
  hardLimit: boolean
  status: 'active' | 'disabled' | undefined
}

const path = (id: string) => `/api/v1/budgets/${encodeURIComponent(id)}`

/** All budgets; spending moves, so the list keeps itself fresh. */
export function useBudgets() {
  const api = useApi()
  return useQuery({
    queryKey: ['budgets'],
    queryFn: async ({ signal }) => {
      const budgets: Budget[] = []
      let cursor = ''
      do {
        const page = await api.list<Budget>('/api/v1/budgets', { limit: 100, cursor }, signal)
        budgets.push(...page.items)
        cursor = page.hasMore ? page.nextCursor : ''
      } while (cursor)
      return budgets
    },
    refetchInterval: 5_000,
  })
}

export type Grouping = 'model' | 'agent' | 'day'

export function useBudgetUsage(id: string, groupBy: Grouping) {
  const api = useApi()
  return useQuery({
    queryKey: ['budget-usage', id, groupBy],
    queryFn: ({ signal }) => api.get<BudgetUsage>(`${path(id)}/usage`, { groupBy }, signal),
    enabled: id !== '',
    refetchInterval: 5_000,
  })
}

/**
 * What differs from the budget as it was when its form was opened. The rest is left as it is, which somebody else may
 * have changed meanwhile. A budget's revision moves with every call it pays for, so a save cannot depend on it.
 */
export function changed(budget: Budget, draft: Omit<BudgetDraft, 'scopeType' | 'scopeId'>): Partial<BudgetDraft> {
  const { limitTokens = null, hardLimit = true, ...rest } = budget
  const before: Record<string, unknown> = { ...rest, limitTokens: limitTokens || null, hardLimit }
  return Object.fromEntries(Object.entries(draft).filter(([key, value]) => value !== undefined && value !== before[key]))
}

/** The four things that can be done to a budget. */
export function useBudgetCommands() {
  const api = useApi()
  const queries = useQueryClient()
  const onSuccess = () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: ['budgets'] }),
      queries.invalidateQueries({ queryKey: ['budget-usage'] }),
    ])
  const save = useMutation({
    mutationFn: ({ budget, draft }: { budget: Budget | undefined; draft: BudgetDraft }) => {
      const { scopeType, scopeId, ...rest } = draft
      if (budget) return api.put<Budget>(path(budget.id), changed(budget, rest))
      const { limitTokens, ...needed } = rest
      return api.post<Budget>('/api/v1/budgets', {
        ...needed,
        scopeType,
        ...(scopeId && { scopeId }),
        ...(limitTokens !== null && { limitTokens }),
      })
    },
    onSuccess,
  })
  const remove = useMutation({ mutationFn: (id: string) => api.delete(path(id)), onSuccess })
  const reset = useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) => api.post<Budget>(`${path(id)}/reset`, reason ? { reason } : {}),
    onSuccess,
  })
  return { save, remove, reset }
}
