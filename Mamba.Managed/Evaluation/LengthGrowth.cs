namespace Mamba.Managed.Evaluation;

/// <summary>How the lengths of a task grow in a run: what is learned cheaply on short sequences is then kept on long ones.</summary>
/// <remarks>
/// The first half of the steps is at the least length alone. In the third quarter the greatest length doubles, step by step, up to that of the
/// task, and each batch has a length of its own: one of the doublings so far, each as likely. The last quarter is at all of them.
/// </remarks>
/// <param name="Shortest">The least length.</param>
/// <param name="Steps">Steps of the whole run.</param>
internal sealed record LengthGrowth(int Shortest, long Steps)
{
    /// <summary>Doublings of the least length that a step may ask for.</summary>
    /// <param name="step">0 for the first.</param>
    /// <param name="most">Doublings up to the task's length.</param>
    internal int Doublings(long step, int most)
    {
        double grown = ((4.0 * step / Steps) - 2) * most;
        return (int)Math.Clamp(Math.Ceiling(grown), 0, most);
    }
}
