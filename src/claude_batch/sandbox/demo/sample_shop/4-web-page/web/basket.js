import { money } from "./format.js";

const rows = document.querySelector("#basket tbody");

export function show(basket) {
  rows.replaceChildren();
  for (const item of basket.items) {
    const row = rows.insertRow();
    row.insertCell().textContent = item.name;
    row.insertCell().textContent = money(item.price * item.count);
  }
}
