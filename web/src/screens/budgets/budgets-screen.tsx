import { MoreHorizontal, Pencil, Plus, RotateCcw, Trash2, Wallet } from 'lucide-react'
import { useState } from 'react'
import { useApi } from '@/lib/api/context'
import type { Budget } from '@/lib/api/types'
import { count, humanise, percent, usd } from '@/lib/format'
import { useTitle } from '@/lib/hooks'
import { setQuery, useRoute } from '@/lib/router'
import { curlBudget } from '@/lib/snippets'
import { Badge, PageHeader, Progress } from '@/ui/bits'
import { Button, IconButton } from '@/ui/button'
import { CodeBlock } from '@/ui/copy'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { Menu, MenuItem, MenuSeparator } from '@/ui/menu'
import { BudgetDialog } from './budget-dialog'
import { BudgetDrawer } from './budget-drawer'
import { DeleteDialog, ResetDialog } from './confirm-dialogs'
import { useBudgets } from './use-budgets'

type Open = { kind: 'create' } | { kind: 'edit' | 'delete' | 'reset'; budget: Budget }

export function BudgetsScreen() {
  useTitle('Budgets')
  const { base } = useApi()
  const { query } = useRoute()
  const budgets = useBudgets()
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  const shown = budgets.data?.find((budget) => budget.id === query.get('budget'))

  return (
    <div className="space-y-5">
      <PageHeader title="Budgets" lead="Limits that hold: money is reserved before a call and settled after it.">
        <Button look="primary" onClick={() => setOpen({ kind: 'create' })}>
          <Plus /> New budget
        </Button>
      </PageHeader>
      {budgets.isError && <ErrorState error={budgets.error} onRetry={() => void budgets.refetch()} />}
      {budgets.isPending && <SkeletonRows rows={4} className="[&>div]:h-20" />}
      {budgets.data?.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Wallet />} title="No budgets yet">
            <p>A budget limits what a workspace, an app, a key, a user or a model may spend in a day, a week or a month.</p>
            <CodeBlock label="example budget" code={curlBudget(base)} />
          </EmptyState>
        </div>
      )}
      {budgets.data && budgets.data.length > 0 && (
        <ul className="grid grid-cols-1 gap-3 md:grid-cols-2 2xl:grid-cols-3" aria-label="Budgets">
          {budgets.data.map((budget) => (
            <BudgetCard key={budget.id} budget={budget} onOpen={(kind) => setOpen({ kind, budget })} />
          ))}
        </ul>
      )}
      {(open?.kind === 'create' || open?.kind === 'edit') && (
        <BudgetDialog budget={open.kind === 'edit' ? open.budget : undefined} onClose={close} />
      )}
      {open?.kind === 'delete' && <DeleteDialog budget={open.budget} onClose={close} />}
      {open?.kind === 'reset' && <ResetDialog budget={open.budget} onClose={close} />}
      <BudgetDrawer budget={shown} onClose={() => setQuery({ budget: '' })} />
    </div>
  )
}

const statusTone = { active: 'good', exceeded: 'bad', disabled: 'neutral' } as const

const periodWords = { daily: 'a day', weekly: 'a week', monthly: 'a month', total: 'in all' }

function BudgetCard({ budget, onOpen }: { budget: Budget; onOpen: (kind: 'edit' | 'delete' | 'reset') => void }) {
  const spent = budget.spentUsd ?? 0
  const share = budget.limitUsd > 0 ? spent / budget.limitUsd : 0
  const status = budget.status ?? 'active'
  return (
    <li className="panel relative flex flex-col gap-3 p-4 hover:border-line-strong">
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h2 className="truncate font-medium">
            <button
              type="button"
              className="max-w-full truncate text-left after:absolute after:inset-0 after:rounded-[10px]"
              onClick={() => setQuery({ budget: budget.id }, { push: true })}
            >
              {budget.name}
            </button>
          </h2>
          <p className="truncate text-[13px] text-ink-3">
            {humanise(budget.scopeType)}
            {budget.scopeId && <span className="font-mono text-xs"> {budget.scopeId}</span>}
          </p>
        </div>
        <Badge tone={statusTone[status]}>{humanise(status)}</Badge>
        <span className="relative z-10 -mt-1 -mr-1.5">
          <Menu
            trigger={
              <IconButton label={`Actions for ${budget.name}`}>
                <MoreHorizontal />
              </IconButton>
            }
          >
            <MenuItem onSelect={() => onOpen('edit')}>
              <Pencil /> Edit
            </MenuItem>
            <MenuItem onSelect={() => onOpen('reset')}>
              <RotateCcw /> Reset usage
            </MenuItem>
            <MenuSeparator />
            <MenuItem danger onSelect={() => onOpen('delete')}>
              <Trash2 /> Delete
            </MenuItem>
          </Menu>
        </span>
      </div>
      <div className="space-y-1.5">
        <p className="tabular flex items-baseline justify-between gap-2">
          <span>
            <span className="text-lg font-semibold tracking-tight">{usd(spent)}</span>
            <span className="text-ink-3">
              {' '}
              of {usd(budget.limitUsd)} {periodWords[budget.period]}
            </span>
          </span>
          <span className="text-ink-3">{percent(share)}</span>
        </p>
        <Progress value={share} label={`${budget.name}: share of the limit used`} />
      </div>
      <p className="flex flex-wrap gap-x-3 text-[13px] text-ink-3">
        <span>{budget.hardLimit === false ? 'Warns only' : 'Refuses over the limit'}</span>
        {budget.reservedUsd ? <span>{usd(budget.reservedUsd)} held for running calls</span> : null}
        {budget.limitTokens ? <span>{count(budget.limitTokens)} tokens at most</span> : null}
      </p>
    </li>
  )
}
