/** What the server answers, as far as the console uses it. */

export interface Whoami {
  /** Null for a service without a user. */
  user?: { id?: string; name?: string; email?: string } | null
  organization?: { id?: string; name?: string }
  workspaceId?: string
  authType?: string
  permissions?: string[]
}

export interface Readiness {
  status: string
  components?: {
    /** Position of the last event. */
    log?: { head?: number }
    /** The analytics engine: starting, ready, restarting, missing or stopped. */
    clickhouse?: { state?: string; message?: string }
  }
}

export interface StrataEvent {
  id: string
  type: string
  source?: string
  subject?: string
  data?: unknown
  time: string
  sequence: number
}

export interface Model {
  id: string
  type?: string
  owned_by?: string
}

export interface App {
  id: string
  name: string
  type?: string
}

export type Rating = 'positive' | 'negative'

export interface ChatMessage {
  id?: string
  role: string
  content: string
  createdAt?: string
  tokenUsage?: { prompt?: number; completion?: number; total?: number }
  feedback?: Rating
}

export interface Conversation {
  id: string
  appId?: string
  title?: string
  messages?: ChatMessage[]
  messageCount?: number
  createdAt?: string
  updatedAt?: string
}

export const budgetScopes = ['organization', 'workspace', 'agent', 'app', 'user', 'api_key', 'model'] as const
export const budgetPeriods = ['daily', 'weekly', 'monthly', 'total'] as const

export interface Budget {
  id: string
  name: string
  scopeType: (typeof budgetScopes)[number]
  scopeId?: string
  limitUsd: number
  limitTokens?: number | null
  period: (typeof budgetPeriods)[number]
  hardLimit?: boolean
  status?: 'active' | 'exceeded' | 'disabled'
  spentUsd?: number
  /** Held for calls that are running. */
  reservedUsd?: number
  remainingUsd?: number
}

export interface BudgetUsage {
  budgetId: string
  spentUsd: number
  limitUsd: number
  percentUsed: number
  tokens: number
  /** Null for the period total. */
  periodStart?: string | null
  periodEnd?: string | null
  breakdown?: { key: string; costUsd: number; tokens: number; calls: number }[]
}
