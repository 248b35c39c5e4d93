using ScottPlot;

namespace Mamba.Managed.Cli;

/// <summary>Plots as files.</summary>
internal static class Picture
{
    private const int Width = 900;
    private const int Height = 540;

    /// <summary>Writes a plot as SVG and PNG; each under another name first, then renamed.</summary>
    /// <param name="plot">The plot.</param>
    /// <param name="folder">Where the files go.</param>
    /// <param name="name">Of the files, without an ending.</param>
    public static void Save(Plot plot, string folder, string name)
    {
        Replace(name + ".svg", path => plot.SaveSvg(path, Width, Height));
        Replace(name + ".png", path => plot.SavePng(path, Width, Height));

        void Replace(string file, Action<string> save)
        {
            string path = Path.Combine(folder, file), temporary = Path.Combine(folder, "new-" + file);
            try
            {
                save(temporary);
                File.Move(temporary, path, overwrite: true);
            }
            catch
            {
                File.Delete(temporary);
                throw;
            }
        }
    }
}
