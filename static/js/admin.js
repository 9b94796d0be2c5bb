/* The admin keeps its theme in local storage, the portal in a cookie: one choice for both. Runs before Alpine starts.
   And the main part, which unfold marks by no landmark, becomes one for screen readers. */

(() => {
  const KEY = "adminTheme";
  const chosen = (document.cookie.split("; ").find((part) => part.startsWith("theme=")) ?? "theme=system").slice(6);
  localStorage.setItem(KEY, JSON.stringify(chosen === "system" ? "auto" : chosen));
  addEventListener("DOMContentLoaded", () => document.getElementById("main")?.setAttribute("role", "main"));
  addEventListener("click", () => {
    setTimeout(() => {
      const now = JSON.parse(localStorage.getItem(KEY) ?? '"auto"');
      document.cookie = `theme=${now === "auto" ? "system" : now}; Path=/; Max-Age=31536000; SameSite=Lax`;
    });
  });
})();
