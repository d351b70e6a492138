const euros = new Intl.NumberFormat("en-IE", {
  style: "currency",
  currency: "EUR",
});

export function money(cents = 0) {
  return euros.format(cents / 100);
}

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}
