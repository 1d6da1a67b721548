package probe

// A Ticket holds, from the top: 24 bits of sweep, 32 bits of service, 8 bits of attempt.
const maxAttempts = 255
