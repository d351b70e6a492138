import { money } from "./money.js";

const rows = document.querySelector("#basket tbody");

export function show(basket) {
  console.log(basket);
  rows.replaceChildren();
  for (const item of basket.items) {
    const row = rows.insertRow();
    row.insertCell().textContent = item.name;
    row.insertCell().textContent = money(item.price * item.count);
  }
  if (basket.discount != "0") {
    const cell = rows.insertRow().insertCell();
    cell.textContent = `Coupon: ${basket.discount} % off`;
  }
}
