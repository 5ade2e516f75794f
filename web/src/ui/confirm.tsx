import type { ReactNode } from 'react'
import { Button } from './button'
import { Dialog } from './dialog'
import { ErrorState } from './feedback'

interface Props {
  title: string
  /** What is done, on its button. */
  action: string
  children: ReactNode
  onClose: () => void
  onConfirm: () => void
  pending: boolean
  error: unknown
}

/** Asks before something that cannot be taken back. */
export function Confirm({ title, action, children, onClose, onConfirm, pending, error }: Props) {
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      footer={
        <>
          <Button onClick={onClose}>Back</Button>
          <Button look="danger" disabled={pending} onClick={onConfirm}>
            {action}
          </Button>
        </>
      }
    >
      <div className="space-y-3">
        {children}
        {Boolean(error) && <ErrorState compact error={error} />}
      </div>
    </Dialog>
  )
}
