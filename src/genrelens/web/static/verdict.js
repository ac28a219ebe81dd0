/** What the server decided of a clip, or of a section of it, in words. */

/** The answer as a line, the same as the command line's: "The predicted genre is: rock". */
export function headline({ verdict, genre, answer }) {
  return verdict === "genre"
    ? `The predicted genre is: ${genre}`
    : answer[0].toUpperCase() + answer.slice(1);
}

/** Whether the genres are worth a look: not of what is no music, and not of silence. */
export function isMusic({ verdict }) {
  return verdict === "genre" || verdict === "not sure";
}

/** A section in words: "rock", "not sure: rock", "not music". */
export function wording({ verdict, genre }) {
  if (verdict === "genre") {
    return genre;
  }
  return verdict === "not sure" ? `not sure: ${genre}` : verdict;
}

/** Whether only excerpts of the clip were classified. */
export function isPartly({ heard, duration }) {
  return heard < duration;
}
