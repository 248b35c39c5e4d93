namespace Mamba.Managed.Evaluation;

/// <summary>A curriculum of sequence lengths: a task is learned cheaply on short sequences and then extended to long ones.</summary>
/// <remarks>
/// The first half of the steps uses the least length alone. In the third quarter the greatest length doubles repeatedly up to that of the task,
/// and each batch draws its length uniformly from the doublings so far. The last quarter draws from all of them.
/// </remarks>
/// <param name="Shortest">The least length.</param>
/// <param name="Steps">Steps of the whole run.</param>
internal sealed record LengthGrowth(int Shortest, long Steps)
{
    /// <summary>The most doublings of the least length in a step.</summary>
    /// <param name="step">0 for the first.</param>
    /// <param name="most">Doublings up to the task's length.</param>
    internal int Doublings(long step, int most)
    {
        double grown = ((4.0 * step / Steps) - 2) * most;
        return (int)Math.Clamp(Math.Ceiling(grown), 0, most);
    }
}
