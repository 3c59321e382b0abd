const callStripe = async () => ({ status: 200, retryAfter: 0 });
// BLOCK
