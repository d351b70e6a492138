export function popup(text) {
  window.alert(text);
}
